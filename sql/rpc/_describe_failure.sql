-- Describe a run that failed, for a message: which report, on which platform, why and what to do.
-- Read-only.
-- Raises nothing.
create or replace function hq.describe_failure(p_run_id uuid)
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'run_id', r.id,
    'report', coalesce(t.label, r.run_type),
    'platform', coalesce(p.name, r.platform_key),
    'reason', left(r.executive_summary, 600)
  ))
  from hq.runs as r
  left join hq.run_types as t on t.key = r.run_type
  left join hq.platforms as p on p.key = r.platform_key
  where r.id = p_run_id
$$;
revoke execute on function hq.describe_failure from public, anon, authenticated;
comment on function hq.describe_failure is 'Ce qu''un message dit d''une exécution échouée.';
