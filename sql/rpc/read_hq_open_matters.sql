-- Read what is waiting for a person: actions to approve, open incidents, runs that failed in the last day.
-- Read-only; for one platform, or for all. Thirty of each kind at most, the oldest first; failures the newest first:
-- count_hq_open_matters says how many there are.
-- Raises nothing.
create or replace function public.read_hq_open_matters(p_platform_key text default null)
returns table (kind text, title text, detail text, level text, platform_key text, since timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  with matters as materialized (
    select m.* from hq.list_open_matters(p_platform_key) as m
  )
  (select a.* from matters as a where a.kind = 'action' order by a.since limit 30)
  union all
  (select i.* from matters as i where i.kind = 'incident' order by i.since limit 30)
  union all
  (select f.* from matters as f where f.kind = 'failure' order by f.since desc limit 30)
$$;
revoke execute on function public.read_hq_open_matters from public, anon, authenticated;
grant execute on function public.read_hq_open_matters to service_role;
comment on function public.read_hq_open_matters is 'Ce qui attend quelqu''un : '
  'actions à approuver, incidents en cours, échecs du jour.';
