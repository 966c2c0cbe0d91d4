-- List what is waiting for a person: actions to approve, open incidents, runs that failed in the last day.
-- Read-only; for one platform, or for all. Not bounded: the function that serves it is.
-- Raises nothing.
create or replace function hq.list_open_matters(p_platform_key text)
returns table (kind text, title text, detail text, level text, platform_key text, since timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select 'action', a.title, a.action_type, a.risk_level::text, r.platform_key, a.created_at
  from hq.actions as a
  left join hq.runs as r on r.id = a.run_id
  where a.status = 'pending' and a.requires_approval and hq.clamp_instant(a.created_at) is not null
    and (p_platform_key is null or r.platform_key is null or r.platform_key = p_platform_key)
  union all
  select 'incident', i.title, i.status, i.severity, i.platform_key, i.created_at
  from hq.incidents as i
  where i.status in ('open', 'investigating') and hq.clamp_instant(i.created_at) is not null
    and (p_platform_key is null or i.platform_key = p_platform_key)
  union all
  select
    'failure',
    coalesce(t.label, r.run_type),
    left(r.executive_summary, 200),
    null,
    r.platform_key,
    r.completed_at
  from hq.runs as r
  left join hq.run_types as t on t.key = r.run_type
  where r.status = 'failed' and r.completed_at between now() - interval '1 day' and now()
    and (p_platform_key is null or r.platform_key = p_platform_key)
$$;
revoke execute on function hq.list_open_matters from public, anon, authenticated;
comment on function hq.list_open_matters is 'Ce qui attend quelqu''un, sans limite : '
  'actions à approuver, incidents en cours, échecs du jour.';
