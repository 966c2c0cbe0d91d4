-- List the latest finished run of each of these types.
-- Read-only.
-- Raises nothing.
create or replace function public.list_hq_last_runs(p_run_types text[])
returns table (run_id uuid, run_type text, status text, completed_at timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select latest.id, t.run_type, latest.status::text, latest.completed_at
  from unnest(p_run_types) as t (run_type)
  cross join lateral (
    select r.id, r.status, r.completed_at
    from hq.runs as r
    where r.run_type = t.run_type
      and r.status in ('completed', 'failed')
      -- In place of hq.clamp_instant, so that an index serves it.
      and r.completed_at >= timestamptz '0001-01-02 00:00:00+00'
      and r.completed_at < timestamptz '9999-12-31 00:00:00+00'
    order by r.completed_at desc, r.id
    limit 1
  ) as latest
$$;
revoke execute on function public.list_hq_last_runs from public, anon, authenticated;
grant execute on function public.list_hq_last_runs to service_role;
comment on function public.list_hq_last_runs is 'Dernière exécution terminée de chaque type.';
