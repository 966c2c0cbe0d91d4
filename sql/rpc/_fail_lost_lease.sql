-- Count an attempt whose worker fell silent: put the run back in the queue, or fail it for good.
-- The caller holds the queue row.
-- Raises nothing.
create or replace function hq.fail_lost_lease(p_run_id uuid, p_final boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_queue hq.run_queue;
  v_extra jsonb;
begin
  select q.* into v_queue from hq.run_queue as q where q.run_id = p_run_id;
  v_extra := jsonb_build_object(
    'error_code', 'lease_lost',
    'error_message', format('Worker %s fell silent; its lease ran out.', v_queue.worker_id),
    'attempt', v_queue.attempt + 1,
    'worker_id', v_queue.worker_id,
    'lease_token', v_queue.lease_token
  );
  if p_final then
    update hq.runs as r
    set
      status = 'failed',
      completed_at = clock_timestamp(),
      executive_summary = format(
        'L''exécution s''est interrompue %s fois sans pouvoir se terminer. Relancez-la ; si cela se reproduit, prévenez l''équipe technique.',
        v_queue.max_attempts
      ),
      detailed_appendix = jsonb_build_object(
        'error_code', 'lease_lost',
        'attempt', v_queue.attempt + 1,
        'fallback_used', false,
        'duration_ms', hq.elapsed_ms(r.started_at),
        'cost_estimate', (
          select coalesce(round(sum(c.cost_eur), 6), 0) from hq.run_costs as c where c.run_id = p_run_id
        )
      )
    where r.id = p_run_id
    returning v_extra || jsonb_build_object(
      'duration_ms', r.detailed_appendix -> 'duration_ms', 'cost_estimate', r.detailed_appendix -> 'cost_estimate'
    ) into v_extra;
    delete from hq.run_queue where run_id = p_run_id;
    perform hq.log_run('error', 'run.failed', p_run_id, v_extra);
    perform hq.announce(format('run_failed:%s:%s', p_run_id, v_queue.lease_token), 'run_failed');
    perform hq.track_dead_letter(p_run_id, 'lease_lost');
  else
    update hq.runs set status = 'pending', started_at = null where id = p_run_id;
    update hq.run_queue
    set worker_id = null, leased_until = null, attempt = attempt + 1, run_at = now()
    where run_id = p_run_id;
    perform hq.log_run('warn', 'run.rescued', p_run_id, v_extra);
  end if;
end
$$;
revoke execute on function hq.fail_lost_lease from public, anon, authenticated;
comment on function hq.fail_lost_lease is 'Compte une tentative dont l''ouvrier a disparu.';
