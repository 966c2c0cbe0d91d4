-- Return where the requests of these runs stood in a trace; a run whose request was not traced has no row.
-- Read-only. At most 100 runs.
-- Raises nothing.
create or replace function public.list_hq_traceparents(p_run_ids uuid[])
returns table (run_id uuid, traceparent text)
language sql
stable
security definer
set search_path = ''
as $$
  select q.run_id, q.traceparent
  from hq.run_requests as q
  where q.run_id = any (p_run_ids) and q.traceparent is not null
  limit 100
$$;
revoke execute on function public.list_hq_traceparents from public, anon, authenticated;
grant execute on function public.list_hq_traceparents to service_role;
comment on function public.list_hq_traceparents is
  'Où les demandes de ces exécutions se situaient dans leur trace, pour l''ouvrier qui les exécute.';
