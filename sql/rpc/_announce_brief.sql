-- Announce the morning's brief, once a day of Paris: the report of a completed run whose type feeds digests, unless
-- somebody asked for it, who has it.
-- Part of the settlement's transaction. Idempotent.
-- Raises nothing.
create or replace function hq.announce_brief(p_run_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform hq.announce_event(
    'morning_brief:' || to_char(r.completed_at at time zone hq.paris_zone(), 'YYYY-MM-DD'),
    'morning_brief',
    jsonb_build_object('report', t.label, 'summary', left(r.executive_summary, 2000))
  )
  from hq.runs as r
  join hq.run_types as t on t.key = r.run_type
  left join hq.run_requests as q on q.run_id = r.id
  where r.id = p_run_id and t.fills_digest and r.platform_key is null and r.executive_summary is not null
    and q.trigger is distinct from 'manual';
end
$$;
revoke execute on function hq.announce_brief from public, anon, authenticated;
comment on function hq.announce_brief is 'Annonce la synthèse du matin, '
  'une fois par jour, si personne ne l''a demandée.';
