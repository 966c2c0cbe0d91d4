-- List our pg_cron jobs: name, schedule, command, and after how long without a run something is wrong.
-- Read-only; the one place where they are written down. purge-old-hq-logs is the host's name: ours takes its place.
-- Raises nothing.
create or replace function hq.list_cron_jobs()
returns table (name text, schedule text, command text, silent_after interval)
language sql
immutable
security definer
set search_path = ''
as $$
  values
    ('hq-rescue-runs', '* * * * *', 'select public.rescue_hq_runs()', interval '2 minutes'),
    ('hq-enqueue-due-runs', '* * * * *', 'select public.enqueue_due_hq_runs()', interval '2 minutes'),
    ('purge-old-hq-logs', '*/10 * * * *', 'call hq.purge_expired()', interval '30 minutes')
$$;
revoke execute on function hq.list_cron_jobs from public, anon, authenticated;
comment on function hq.list_cron_jobs is 'Nos tâches pg_cron : nom, fréquence, commande.';
