-- End an attempt: p_outcome is completed, failed (for good), retry (another attempt, if any is left). A run whose type
-- an older worker does not know goes back to the queue.
-- Fenced by the lease token; report, steps, evidence, cost and log are kept together or not at all. Repeating
-- a settlement whose answer was lost changes nothing and answers the same.
-- Raises 55P03 when another session holds the run: call again. Returns the run's status now (pending: it will
-- be tried again), or 'lost': write nothing more.
create or replace function public.settle_hq_run(
  p_run_id uuid,
  p_lease_token bigint,
  p_outcome text,
  p_summary text,
  p_appendix jsonb default '{}',
  p_steps jsonb default '[]',
  p_evidence jsonb default '[]',
  p_usage jsonb default '{}',
  p_retry_in_seconds numeric default 0
)
returns text
language plpgsql
volatile
security definer
set search_path = ''
-- A run that somebody holds in the SQL editor must not hold up those that are settled with it, or after it.
set lock_timeout = '500ms'
-- A plan made while the queue is short would read all of it; while an old transaction is open no dead row of it goes.
set enable_seqscan = off
-- Where nothing but a disabled plan is left, its penalty is above jit_above_cost: each call would JIT-compile it.
set jit = off
as $$
#variable_conflict use_column
declare
  v_run record;
  v_settled hq.run_status;
  v_status hq.run_status;
  v_appendix jsonb;
  v_log jsonb;
begin
  if p_outcome is null or p_outcome not in ('completed', 'failed', 'retry') then
    raise exception using
      errcode = '22023',
      message = format('Unknown outcome %L: completed, failed or retry.', p_outcome);
  end if;
  perform hq.record_cost(p_run_id, p_lease_token, p_usage);

  if not hq.guard_lease(p_run_id, p_lease_token) then
    select r.status into v_settled
    from hq.run_requests as q
    join hq.runs as r on r.id = q.run_id
    where q.run_id = p_run_id and q.settled_token = p_lease_token;
    return coalesce(v_settled::text, 'lost');
  end if;
  if p_outcome = 'failed' and hq.hand_back_unknown(p_run_id, p_lease_token, p_appendix ->> 'error_code') then
    return 'pending';
  end if;

  select q.attempt, q.max_attempts, q.worker_id, r.started_at into v_run
  from hq.run_queue as q
  join hq.runs as r on r.id = q.run_id
  where q.run_id = p_run_id;
  v_status := case
    when p_outcome = 'completed' then 'completed'::hq.run_status
    when p_outcome = 'retry' and v_run.attempt + 1 < v_run.max_attempts then 'pending'
    else 'failed'
  end;
  -- The screens print each value as text and one of the host's functions casts fallback_used to boolean.
  v_appendix := coalesce(p_appendix, '{}') || jsonb_build_object(
    'fallback_used', coalesce(p_appendix -> 'fallback_used' = 'true', false),
    'cost_estimate', hq.run_cost(p_run_id),
    'attempt', v_run.attempt + 1,
    'duration_ms', hq.elapsed_ms(v_run.started_at)
  );
  v_log := jsonb_strip_nulls(jsonb_build_object(
    'model_used', v_appendix -> 'model_used',
    'duration_ms', v_appendix -> 'duration_ms',
    'cost_estimate', v_appendix -> 'cost_estimate',
    'attempt', v_appendix -> 'attempt',
    'fallback_used', v_appendix -> 'fallback_used',
    'breaker_state', v_appendix -> 'breaker_state',
    'error_code', case
      when v_status = 'completed' then v_appendix -> 'error_code'
      else coalesce(nullif(v_appendix -> 'error_code', 'null'), '"unspecified"')
    end,
    'error_message', v_appendix -> 'error_message',
    'worker_id', v_run.worker_id,
    'lease_token', p_lease_token
  ));

  perform hq.write_steps(p_run_id, p_steps);
  -- A moment each, so that evidence is read in the order in which it was given.
  insert into hq.run_evidence (id, run_id, evidence_type, data, source_url, created_at)
  select hq.make_id(), p_run_id, e.evidence_type, e.data, e.source_url, clock_timestamp()
  from jsonb_to_recordset(p_evidence) as e (evidence_type text, data jsonb, source_url text);
  if p_evidence @> '[{"evidence_type": "facts"}]' then
    perform hq.keep_facts(p_run_id, p_evidence);
  end if;

  if v_status <> 'pending' then
    perform hq.end_run(p_run_id, v_status, p_summary, v_appendix, v_log, p_lease_token);
    if v_status = 'completed'
      and ('0' < v_appendix -> 'figures_contradicted' or '0' < v_appendix -> 'figures_unverified')
    then
      perform hq.log_run('warn', 'report.doubted', p_run_id, jsonb_build_object(
        'model_used', v_appendix -> 'model_used',
        'figures_checked', v_appendix -> 'figures_checked',
        'figures_unverified', v_appendix -> 'figures_unverified',
        'figures_contradicted', v_appendix -> 'figures_contradicted'
      ));
    end if;
  else
    -- With its status, so that the screens hear of one change: requeue_run finds the run as it leaves it.
    update hq.runs as r
    set
      status = 'pending',
      started_at = null,
      completed_at = null,
      executive_summary = p_summary,
      director_agent_id = coalesce(r.director_agent_id, hq.find_director(r.run_type)),
      detailed_appendix = v_appendix
    where r.id = p_run_id;
    perform hq.requeue_run(
      p_run_id, now() + make_interval(secs => greatest(p_retry_in_seconds, 0)::double precision), true
    );
    update hq.run_requests set settled_token = p_lease_token where run_id = p_run_id;
    perform hq.log_run('warn', 'run.retried', p_run_id, v_log);
  end if;
  return v_status::text;
end
$$;
revoke execute on function public.settle_hq_run from public, anon, authenticated;
grant execute on function public.settle_hq_run to service_role;
comment on function public.settle_hq_run is
  'Termine une tentative : rapport, étapes, preuves, coût et journal, ensemble ou pas du tout.';
