-- Begin a decision of the autopilot, or return the current one. standing: 'decide' (yours, until the lease ends),
-- 'in_progress' (somebody else's), 'recent' (decided less than p_fresh_seconds ago), 'off' (only where asked for).
-- may_ask: the model may be asked, because it has not been told of something yet and was not asked within the hour.
-- One at a time, by an advisory lock that is held for moments. A decision whose lease ran out is abandoned.
-- Raises HQ008 where another session holds that lock for longer.
create or replace function public.begin_hq_decision(
  p_asked_by text,
  p_fresh_seconds numeric default 60,
  p_lease_seconds numeric default 60,
  p_only_if_enabled boolean default false
)
returns table (
  decision_id bigint,
  standing text,
  may_ask boolean,
  candidates jsonb,
  signals jsonb,
  done jsonb,
  pct_used numeric,
  is_budget_warned boolean,
  jobs_to_run text[],
  reasoning text,
  next_check_in_minutes integer
)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_last hq.autopilot_decisions;
  v_signals text[];
begin
  if p_only_if_enabled and not (select c.enabled from hq.read_autopilot_config() as c) then
    standing := 'off';
    return next;
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('hq.autopilot_decisions', 0));

  -- What it had meant for the model may never have reached it.
  update hq.autopilot_decisions set state = 'abandoned', known_signals = '{}'
  where state = 'deciding' and (leased_until < now() or began_at > now() + interval '1 minute');
  select d.* into v_last from hq.autopilot_decisions as d order by d.id desc limit 1;
  if v_last.state = 'deciding' or hq.is_recent(v_last.decided_at, make_interval(secs => p_fresh_seconds::float8)) then
    decision_id := v_last.id;
    standing := case v_last.state when 'deciding' then 'in_progress' else 'recent' end;
    jobs_to_run := v_last.jobs_to_run;
    reasoning := v_last.reasoning;
    next_check_in_minutes := v_last.next_check_in_minutes;
    return next;
    return;
  end if;

  standing := 'decide';
  select coalesce(jsonb_agg(jsonb_build_object('run_type', t.key, 'label', t.label) order by t.key), '[]')
  into candidates
  from hq.read_autopilot_config() as c
  join hq.run_types as t on t.key = any (c.allowed_run_types)
  where not exists (select from hq.refuse_addition(t.key));

  select
    coalesce(array_agg(s.key order by s.key), '{}'),
    coalesce(
      jsonb_agg(jsonb_build_object('kind', s.kind, 'subject', s.subject, 'detail', s.detail) order by s.key), '[]'
    )
  into v_signals, signals
  from hq.list_signals() as s;
  may_ask := candidates <> '[]'
    and not v_signals <@ coalesce(v_last.known_signals, '{}')
    and not exists (
      select from hq.autopilot_decisions as d where d.model_asked and d.began_at > now() - interval '1 hour'
    );

  select coalesce(jsonb_agg(jsonb_build_object(
    'job', s.job_key,
    'status', r.status,
    'summary', case when r.status not in ('pending', 'running') then left(r.executive_summary, 200) end
  ) order by s.decided_at, s.job_key), '[]')
  into done
  from hq.plan_slots as s
  join hq.runs as r on r.id = s.run_id
  -- Paris is whole hours from UTC: its hours begin with those of UTC.
  where s.outcome = 'fired' and s.decided_at >= date_trunc('hour', now(), 'UTC') and r.status <> 'cancelled';

  select b.pct_used, b.is_warned into pct_used, is_budget_warned from hq.budget_state() as b;
  insert into hq.autopilot_decisions (asked_by, leased_until, known_signals, model_asked)
  values (
    p_asked_by,
    now() + make_interval(secs => p_lease_seconds::float8),
    case when may_ask then v_signals else array(
      select s from unnest(v_signals) as s where s = any (v_last.known_signals)
    ) end,
    may_ask
  )
  returning id into decision_id;
  return next;
exception when lock_not_available then
  perform hq.refuse_held();
end
$$;
revoke execute on function public.begin_hq_decision from public, anon, authenticated;
grant execute on function public.begin_hq_decision to service_role;
comment on function public.begin_hq_decision is 'Commence une décision de l''autopilote, une seule à la fois, '
  'ou rend celle qui existe.';
