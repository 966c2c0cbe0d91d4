-- Record how a decision ended, and journal it if that is worth reading: it launched or refused something, or
-- none without launches was journalled within the hour. Forgets decisions older than 90 days.
-- Part of the caller's transaction, which holds the lock of decisions.
-- Raises nothing.
create or replace function hq.close_decision(
  p_decision_id bigint,
  p_decided_by text,
  p_reasoning text,
  p_jobs text[],
  p_run_ids uuid[],
  p_refused text[],
  p_next_check_in_minutes integer
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_paris timestamp := now() at time zone hq.paris_zone();
  v_skipped text[];
  v_cause text;
  v_journalled boolean := p_jobs <> '{}' or p_refused <> '{}' or not exists (
    select from hq.autopilot_decisions as d
    where d.journalled and d.jobs_to_run = '{}' and d.decided_at > now() - interval '1 hour'
  );
  v_decision hq.autopilot_decisions;
  v_budget record;
begin
  select
    p_refused || coalesce(array_agg(s.line order by s.key) filter (
      where s.reason is not null and not s.key = any (p_jobs) and not s.line = any (p_refused)
    ), '{}'),
    -- What refuses every type is the reason for which nothing is added: the panel shows no other.
    case
      when p_jobs <> '{}' then null
      when count(*) = 0 then 'la liste des types autorisés est vide'
      when bool_and(s.reason is not null) and count(distinct s.reason) = 1 then min(s.reason)
    end
  into v_skipped, v_cause
  from (
    select t.key, r.reason, format('%s : %s', t.key, r.reason) as line
    from hq.read_autopilot_config() as c
    cross join unnest(c.allowed_run_types) as t (key)
    left join lateral hq.refuse_addition(t.key) as r on true
  ) as s;

  update hq.autopilot_decisions
  set
    state = 'decided',
    decided_at = now(),
    decided_by = p_decided_by,
    reasoning = left(concat_ws(' ', p_reasoning, 'Cause : ' || v_cause || '.'), 2000),
    jobs_to_run = p_jobs,
    run_ids = p_run_ids,
    skipped = v_skipped,
    next_check_in_minutes = p_next_check_in_minutes,
    journalled = v_journalled
  where id = p_decision_id
  returning * into v_decision;
  if v_journalled then
    select b.pct_used, b.is_warned into v_budget from hq.budget_state() as b;
    perform hq.write_log(
      case when v_budget.is_warned then 'warn' else 'info' end,
      'autopilot',
      'autopilot.decision',
      jsonb_build_object(
        'reasoning', v_decision.reasoning,
        'jobs_to_run', to_jsonb(v_decision.jobs_to_run),
        'next_check_in_minutes', v_decision.next_check_in_minutes,
        'paris_hour', extract(hour from v_paris)::integer,
        'paris_day', extract(dow from v_paris)::integer,
        'skipped', to_jsonb(v_skipped),
        'decided_by', v_decision.decided_by,
        'model_used', v_decision.model,
        'cost_estimate', coalesce(v_decision.cost_eur, 0),
        'budget_pct_used', v_budget.pct_used,
        'decision', p_decision_id
      ),
      null
    );
  end if;
  perform hq.warn_of_budget();
  delete from hq.autopilot_decisions where began_at < now() - interval '90 days';
end
$$;
revoke execute on function hq.close_decision from public, anon, authenticated;
comment on function hq.close_decision is 'Écrit comment une décision s''est terminée, '
  'et la journalise si elle apprend quelque chose.';
