-- Give pending runs without a queue row a place in the queue: put back to pending by hand, or their row was deleted.
-- At most 500 in two seconds; the next call goes on.
-- Locks the rows it changes, skips locked ones; part of the caller's transaction. Where another session holds what
-- belongs to a run (its steps, its dead letter), the call waits once for a moment and leaves that run to the next.
-- Raises nothing. Answers how many were adopted.
create or replace function hq.adopt_runs()
returns integer
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
-- Every run was pending once, and a large table is vacuumed after a hundred thousand runs: an index scan marks the
-- entries that are dead, and passes over them the next time; a bitmap scan would visit all their rows in every sweep.
set enable_bitmapscan = off
-- A plan made while the queue is short would read all of it; while an old transaction is open no dead row of it goes.
set enable_seqscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
as $$
#variable_conflict use_column
declare
  v_stop_at constant timestamptz := clock_timestamp() + interval '2 seconds';
  v_row record;
  v_adopted integer := 0;
begin
  for v_row in
    select r.id, r.run_type, r.platform_key
    from hq.runs as r
    where r.status in ('pending', 'running')
      -- Counted, not joined: once the queue was seen empty, a join reads all its index of ids for each run that waits,
      -- and while an old transaction is open that index leads to every run that was ever in the queue.
      and (select count(*) from hq.run_queue as q where q.run_id = r.id) = 0
      -- One of ours whose queue row somebody deleted; what older code says is running is not adopted.
      and (r.status = 'pending' or exists (select from hq.run_requests as own where own.run_id = r.id))
    limit 500
    for no key update of r skip locked
  loop
    exit when clock_timestamp() > v_stop_at;
    begin
      -- A new life: what an earlier one collected may be days old.
      delete from hq.run_steps where run_id = v_row.id;
      delete from hq.run_evidence where run_id = v_row.id;
      insert into hq.run_requests as q (run_id, requester, trigger, retry_of)
      values (v_row.id, 'sql', 'retry', v_row.id)
      on conflict (run_id) do update
      set settled_token = null, hand_backs = 0, retry_of = coalesce(q.retry_of, excluded.retry_of);
      insert into hq.run_queue (run_id, run_type, platform_key)
      values (v_row.id, v_row.run_type, v_row.platform_key)
      on conflict (run_id) do nothing;
      perform hq.requeue_run(v_row.id, now(), false);
      perform hq.log_run('info', 'run.adopted', v_row.id, '{}');
      perform hq.track_dead_letter(v_row.id);
      v_adopted := v_adopted + 1;
    exception when lock_not_available then
      -- However many are held, together they cost one wait.
      perform set_config('lock_timeout', '5ms', true);
    end;
  end loop;
  return v_adopted;
end
$$;
revoke execute on function hq.adopt_runs from public, anon, authenticated;
comment on function hq.adopt_runs is
  'Donne une place dans la file à un lot d''exécutions remises à pending à la main.';
