-- Repair the queue rows that no worker looks after: leases that ran out, runs changed or ended by hand. At most 500 in
-- two seconds, leases first, the oldest before the others; the next call goes on.
-- Locks the rows it changes, skips locked ones; part of the caller's transaction. Where another session holds what
-- belongs to a run (its dead letter, a table of the host), the call waits once, and leaves that run to the next call.
-- Raises nothing. Answers how many runs were put back, failed for good, and dropped from the queue.
create or replace function hq.rescue_queue()
returns table (requeued integer, failed integer, dropped integer)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_stop_at constant timestamptz := clock_timestamp() + interval '2 seconds';
  v_row record;
  v_final boolean;
begin
  requeued := 0;
  failed := 0;
  dropped := 0;
  for v_row in
    select q.*, r.status, r.started_at
    from hq.run_queue as q
    join hq.runs as r on r.id = q.run_id
    where (q.worker_id is not null and (q.leased_until < now() or r.status <> 'running'))
      or (q.worker_id is null and r.status <> 'pending')
    order by q.leased_until nulls last
    limit 500
    for update of q skip locked for no key update of r skip locked
  loop
    exit when clock_timestamp() > v_stop_at;
    begin
      if v_row.status not in ('pending', 'running') then
        perform hq.drop_ended_run(v_row.run_id);
        dropped := dropped + 1;
      elsif v_row.status = 'pending' or v_row.worker_id is null then
        -- Somebody put it back to pending while it ran, or said it runs while nobody runs it.
        perform hq.requeue_run(v_row.run_id, now(), false);
        requeued := requeued + 1;
      else
        v_final := v_row.attempt + 1 >= v_row.max_attempts;
        perform hq.fail_lost_lease(v_row.run_id, v_final);
        failed := failed + v_final::integer;
        requeued := requeued + (not v_final)::integer;
      end if;
    exception when lock_not_available then
      -- However many are held, together they cost one wait.
      perform set_config('lock_timeout', '5ms', true);
    end;
  end loop;
  return next;
end
$$;
revoke execute on function hq.rescue_queue from public, anon, authenticated;
comment on function hq.rescue_queue is 'Remet en ordre un lot de la file : '
  'baux échus d''abord, puis ce qui a été changé à la main.';
