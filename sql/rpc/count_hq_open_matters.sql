-- Count what is waiting for a person, for one platform or for all: the lists show at most thirty of each kind.
-- Read-only.
-- Raises nothing.
create or replace function public.count_hq_open_matters(p_platform_key text default null)
returns table (actions integer, incidents integer, failures integer)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (count(*) filter (where m.kind = 'action'))::integer,
    (count(*) filter (where m.kind = 'incident'))::integer,
    (count(*) filter (where m.kind = 'failure'))::integer
  from hq.list_open_matters(p_platform_key) as m
$$;
revoke execute on function public.count_hq_open_matters from public, anon, authenticated;
grant execute on function public.count_hq_open_matters to service_role;
comment on function public.count_hq_open_matters is 'Nombre d''actions à approuver, d''incidents en cours '
  'et d''échecs du jour.';
