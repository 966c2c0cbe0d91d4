-- Put right what died or was changed by hand: leases that ran out, pending runs without a queue row, queue
-- rows without an unfinished run, runs that older code left running.
-- One caller at a time, the others return at once; skips what is locked. Idempotent.
-- Raises nothing. Answers how many runs were put back, failed for good, adopted, and dropped from the queue.
create or replace function public.rescue_hq_runs()
returns table (requeued integer, failed integer, adopted integer, dropped integer)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_row record;
  v_final boolean;
begin
  requeued := 0;
  failed := 0;
  adopted := 0;
  dropped := 0;
  if not pg_try_advisory_xact_lock(hashtextextended('hq.rescue', 0)) then
    return next;
    return;
  end if;

  for v_row in
    select q.*, r.status, r.started_at
    from hq.run_queue as q
    join hq.runs as r on r.id = q.run_id
    where (q.worker_id is not null and (q.leased_until < now() or r.status <> 'running'))
      or (q.worker_id is null and r.status <> 'pending')
    for update of q skip locked for no key update of r skip locked
  loop
    if v_row.status not in ('pending', 'running') then
      -- Somebody ended the run in the table editor. Whoever ends it as failed has its failure logged as any other.
      if v_row.status = 'failed' then
        perform hq.log_run('error', 'run.failed', v_row.run_id, jsonb_build_object(
          'error_code', 'ended_by_hand',
          'model_used', (
            select c.model from hq.run_costs as c where c.run_id = v_row.run_id order by c.lease_token desc limit 1
          ),
          'duration_ms', hq.elapsed_ms(v_row.started_at),
          'cost_estimate', hq.run_cost(v_row.run_id)
        ));
      else
        perform hq.log_run('warn', 'run.dropped', v_row.run_id, jsonb_build_object('status', v_row.status));
      end if;
      delete from hq.run_queue where run_id = v_row.run_id;
      perform hq.track_dead_letter(v_row.run_id, 'ended_by_hand');
      dropped := dropped + 1;
    elsif v_row.status = 'pending' or v_row.worker_id is null then
      -- Somebody put it back to pending while it ran, or said it runs while nobody runs it.
      perform hq.requeue_run(v_row.run_id, now(), false);
      requeued := requeued + 1;
    else
      v_final := v_row.attempt + 1 >= v_row.max_attempts;
      perform hq.fail_lost_lease(v_row.run_id, v_final);
      if v_final then
        failed := failed + 1;
      else
        requeued := requeued + 1;
      end if;
    end if;
  end loop;

  for v_row in
    select r.id, r.run_type, r.platform_key
    from hq.runs as r
    where not exists (select from hq.run_queue as q where q.run_id = r.id)
      and (
        r.status = 'pending'
        -- One of ours whose queue row somebody deleted; what older code says is running is not adopted.
        or r.status = 'running' and exists (select from hq.run_requests as own where own.run_id = r.id)
      )
    for no key update of r skip locked
  loop
    -- A new life: what an earlier one collected may be days old.
    delete from hq.run_steps where run_id = v_row.id;
    delete from hq.run_evidence where run_id = v_row.id;
    insert into hq.run_requests as q (run_id, requester, trigger, retry_of)
    values (v_row.id, 'sql', 'retry', v_row.id)
    on conflict (run_id) do update set settled_token = null, retry_of = coalesce(q.retry_of, excluded.retry_of);
    insert into hq.run_queue (run_id, run_type, platform_key)
    values (v_row.id, v_row.run_type, v_row.platform_key)
    on conflict (run_id) do nothing;
    update hq.runs set status = 'pending', started_at = null where id = v_row.id and status = 'running';
    perform hq.log_run('info', 'run.adopted', v_row.id, '{}');
    perform hq.track_dead_letter(v_row.id);
    adopted := adopted + 1;
  end loop;

  failed := failed + hq.close_stuck_runs();
  perform hq.warn_of_budget();
  return next;
end
$$;
revoke execute on function public.rescue_hq_runs from public, anon, authenticated;
grant execute on function public.rescue_hq_runs to service_role;
comment on function public.rescue_hq_runs is
  'Reprend les exécutions dont l''ouvrier a disparu et adopte celles remises à pending à la main.';
