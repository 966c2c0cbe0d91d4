-- Say how the queue stands: how many runs wait, how many run, and for how long the first due one has been waiting.
-- Read-only. While everything is paused no run counts as due: waiting is then intended.
-- Raises nothing.
create or replace function public.get_hq_queue_state()
returns table (waiting integer, running integer, oldest_due_seconds numeric)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (count(*) filter (where q.worker_id is null))::integer,
    (count(*) filter (where q.worker_id is not null))::integer,
    case when hq.is_paused() then 0 else coalesce(extract(
      epoch from now() - min(hq.clamp_instant(q.run_at)) filter (where q.worker_id is null and q.run_at <= now())
    ), 0) end
  from hq.run_queue as q
$$;
revoke execute on function public.get_hq_queue_state from public, anon, authenticated;
grant execute on function public.get_hq_queue_state to service_role;
comment on function public.get_hq_queue_state is 'État de la file : '
  'en attente, en cours, ancienneté de la première due.';
