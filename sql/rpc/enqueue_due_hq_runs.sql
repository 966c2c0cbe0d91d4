-- Fire the plan's slots that are due: called by pg_cron every minute, by every worker as a safety net, and by HTTP.
-- However many call, each slot is decided once: the others return at once, with nothing.
-- Raises nothing of its own.
create or replace function public.enqueue_due_hq_runs()
returns table (job_key text, slot_at timestamptz, outcome text, reason text, run_id uuid)
language sql
volatile
security definer
set search_path = ''
as $$
  select * from hq.enqueue_due_runs(now())
$$;
revoke execute on function public.enqueue_due_hq_runs from public, anon, authenticated;
grant execute on function public.enqueue_due_hq_runs to service_role;
comment on function public.enqueue_due_hq_runs is 'Lance les créneaux dus du plan : '
  'chacun une seule fois, quel que soit le nombre d''appelants.';
