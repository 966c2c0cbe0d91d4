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
  v_measured jsonb;
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
    select jsonb_build_object('duration_ms', hq.elapsed_ms(r.started_at), 'cost_estimate', hq.run_cost(p_run_id))
    into v_measured
    from hq.runs as r
    where r.id = p_run_id;
    perform hq.end_run(
      p_run_id,
      'failed',
      format(
        'L''exécution s''est interrompue %s fois sans pouvoir se terminer. '
        'Relancez-la ; si cela se reproduit, prévenez l''équipe technique.',
        v_queue.max_attempts
      ),
      v_measured || jsonb_build_object(
        'error_code', 'lease_lost', 'attempt', v_queue.attempt + 1, 'fallback_used', false
      ),
      v_extra || v_measured
    );
  else
    perform hq.requeue_run(p_run_id, now(), true);
    perform hq.log_run('warn', 'run.rescued', p_run_id, v_extra);
  end if;
end
$$;
revoke execute on function hq.fail_lost_lease from public, anon, authenticated;
comment on function hq.fail_lost_lease is 'Compte une tentative dont l''ouvrier a disparu.';
