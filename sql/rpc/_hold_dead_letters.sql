-- Make every open dead letter that the host wrote not due, whoever has it; called at the end of every migration.
-- The host's retry worker would send them to its old function, which refuses it or no longer answers, and abandon them;
-- they wait for a person, as ours do. Locks the rows that it changes. Idempotent. Returns how many it changed.
-- Raises nothing: where the host's table is missing or became another, there is nothing that we hold.
create or replace function hq.hold_dead_letters()
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_held integer;
begin
  if to_regclass('hq.runs_dlq') is null then
    return 0;
  end if;
  -- in_progress with a date is in the hands of the host's worker, which has no lease and takes it no second time.
  update hq.runs_dlq as d
  set status = 'pending', next_retry_at = hq.never_due(), updated_at = now()
  where d.status in ('pending', 'in_progress') and d.next_retry_at < hq.never_due();
  get diagnostics v_held = row_count;
  if v_held > 0 then
    raise notice 'dead letters of the host: % wait for a person from now on (hq.failures lists them)', v_held;
  end if;
  return v_held;
exception when integrity_constraint_violation or undefined_column or insufficient_privilege then
  raise notice 'dead letters of the host: left as they are (%)', sqlerrm;
  return 0;
end
$$;
revoke execute on function hq.hold_dead_letters from public, anon, authenticated;
comment on function hq.hold_dead_letters is 'Retient les lettres mortes que l''ancien programme relancerait : '
  'seule une personne les relance.';
