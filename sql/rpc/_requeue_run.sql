-- Put a run back in the queue, free and due at p_run_at, with or without counting the attempt that ends here.
-- Its summary says that it waits, unless a settlement has already said why it is tried again.
-- The caller holds the queue row, then the run. Idempotent, but for the attempt counted.
-- Raises nothing.
create or replace function hq.requeue_run(p_run_id uuid, p_run_at timestamptz, p_counted boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  update hq.run_queue
  set worker_id = null, leased_until = null, attempt = attempt + p_counted::integer, run_at = p_run_at
  where run_id = p_run_id;
  update hq.runs as r
  set status = 'pending', started_at = null, executive_summary = hq.progress_summary('pending')
  where r.id = p_run_id
    -- Or put back by hand while it was being executed.
    and (r.status = 'running' or r.executive_summary = hq.progress_summary('running'));
end
$$;
revoke execute on function hq.requeue_run from public, anon, authenticated;
comment on function hq.requeue_run is 'Remet une exécution dans la file.';
