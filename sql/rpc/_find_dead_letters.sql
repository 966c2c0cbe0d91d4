-- Find the dead letters that wait for a person, ours and those that the host wrote, with what is known of each request.
-- is_due: the host's retry worker would take it (hq.hold_dead_letters).
-- Read-only; one row per run, its latest letter.
-- Raises nothing; no row where the host has no hq.runs_dlq, or one of another form.
create or replace function hq.find_dead_letters()
returns table (
  run_id uuid, run_type text, platform_key text, context jsonb, failure_reason text, last_error text,
  attempts integer, created_at timestamptz, is_due boolean
)
language plpgsql
stable
security definer
rows 20
set search_path = ''
as $$
#variable_conflict use_column
begin
  if to_regclass('hq.runs_dlq') is null then
    return;
  end if;
  return query
    select distinct on (d.original_run_id)
      d.original_run_id, d.run_type, d.platform_key,
      -- The host keeps no request there.
      case jsonb_typeof(d.payload -> 'context') when 'object' then d.payload -> 'context' else '{}' end,
      d.failure_reason, d.last_error, d.attempts, d.created_at,
      d.next_retry_at < hq.never_due()
    from hq.runs_dlq as d
    where d.status = 'pending'
    order by d.original_run_id, d.created_at desc;
exception when undefined_column then
  -- The table is the host's: what it became must not cost the doctor's other lines.
  return;
end
$$;
revoke execute on function hq.find_dead_letters from public, anon, authenticated;
comment on function hq.find_dead_letters is 'Lettres mortes qui attendent une personne.';
