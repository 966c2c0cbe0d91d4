-- End an attempt: p_outcome is completed, failed (for good), retry (another attempt, if any is left).
-- Fenced by the lease token; report, steps, evidence, cost and log are kept together or not at all. Repeating
-- a settlement whose answer was lost changes nothing and answers the same.
-- Raises 55P03 when somebody holds the run: ask again. Answers the run's status now (pending: it will be tried
-- again), or 'lost': write nothing more.
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
set lock_timeout = '1s'
as $$
#variable_conflict use_column
declare
  v_queue hq.run_queue;
  v_settled hq.run_status;
  v_status hq.run_status;
  v_cost numeric;
  v_appendix jsonb;
  v_retry_of uuid;
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

  select q.* into v_queue from hq.run_queue as q where q.run_id = p_run_id;
  v_status := case
    when p_outcome = 'completed' then 'completed'::hq.run_status
    when p_outcome = 'retry' and v_queue.attempt + 1 < v_queue.max_attempts then 'pending'
    else 'failed'
  end;
  select coalesce(sum(c.cost_eur), 0) into v_cost from hq.run_costs as c where c.run_id = p_run_id;

  -- The screens print each value as text and one of the host's functions casts fallback_used to boolean.
  update hq.runs as r
  set
    status = v_status,
    executive_summary = p_summary,
    director_agent_id = coalesce(r.director_agent_id, hq.find_director(r.run_type)),
    completed_at = case when v_status <> 'pending' then clock_timestamp() end,
    started_at = case when v_status <> 'pending' then r.started_at end,
    detailed_appendix = coalesce(p_appendix, '{}') || jsonb_build_object(
      'fallback_used', coalesce(p_appendix -> 'fallback_used' = 'true', false),
      'cost_estimate', round(v_cost, 6),
      'attempt', v_queue.attempt + 1,
      'duration_ms', hq.elapsed_ms(r.started_at)
    )
  where r.id = p_run_id
  returning r.detailed_appendix into v_appendix;

  perform hq.write_steps(p_run_id, p_steps);
  -- A moment each, so that evidence is read in the order in which it was given.
  insert into hq.run_evidence (run_id, evidence_type, data, source_url, created_at)
  select p_run_id, e.evidence_type, e.data, e.source_url, clock_timestamp()
  from jsonb_to_recordset(p_evidence) as e (evidence_type text, data jsonb, source_url text);

  if v_status = 'pending' then
    update hq.run_queue
    set
      worker_id = null,
      leased_until = null,
      attempt = attempt + 1,
      run_at = now() + make_interval(secs => greatest(p_retry_in_seconds, 0)::double precision)
    where run_id = p_run_id;
  else
    delete from hq.run_queue where run_id = p_run_id;
  end if;
  if v_status = 'completed' then
    perform hq.propose_action(p_run_id);
    perform hq.write_digest(p_run_id);
  elsif v_status = 'failed' then
    perform hq.announce(format('run_failed:%s:%s', p_run_id, p_lease_token), 'run_failed');
  end if;
  update hq.run_requests set settled_token = p_lease_token where run_id = p_run_id returning retry_of into v_retry_of;
  if v_status = 'failed' or v_status = 'completed' and v_retry_of is not null then
    perform hq.track_dead_letter(p_run_id);
  end if;

  perform hq.log_run(
    case v_status when 'completed' then 'info' when 'pending' then 'warn' else 'error' end,
    case v_status when 'completed' then 'run.completed' when 'pending' then 'run.retried' else 'run.failed' end,
    p_run_id,
    jsonb_strip_nulls(jsonb_build_object(
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
      'worker_id', v_queue.worker_id,
      'lease_token', p_lease_token
    ))
  );
  return v_status::text;
end
$$;
revoke execute on function public.settle_hq_run from public, anon, authenticated;
grant execute on function public.settle_hq_run to service_role;
comment on function public.settle_hq_run is 'Termine une tentative : rapport, étapes, preuves, coût et journal, ensemble ou pas du tout.';
