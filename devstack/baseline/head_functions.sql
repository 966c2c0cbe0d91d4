-- The functions that the host's later migrations, up to 3 May 2026, add. Applied as `postgres`, after head.sql.
-- As before, a function without the check of the owner may be called by anon, unless it is closed at its end.

-- Log retention.

create function hq.purge_old_logs() returns integer
language plpgsql security definer set search_path = public, hq
as $$
declare
  deleted integer;
begin
  delete from hq.structured_logs where created_at < now() - interval '30 days';
  get diagnostics deleted = row_count;
  return deleted;
end
$$;

-- A negative number of days deletes everything.
create function public.purge_old_hq_logs(retention_days integer default 30) returns integer
language plpgsql security definer set search_path = public, hq
as $$
declare
  deleted integer;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  delete from hq.structured_logs where created_at < now() - make_interval(days => retention_days);
  get diagnostics deleted = row_count;
  insert into hq.audit_logs (actor_type, actor_id, action, resource_type, details)
  values (
    'owner', auth.uid()::text, 'logs.purged', 'structured_logs',
    jsonb_build_object('retention_days', retention_days, 'deleted', deleted)
  );
  return deleted;
end
$$;

-- Conversations.

create function public.get_hq_conversations(limit_count integer default 20) returns table (
  id uuid, title text, created_at timestamptz, updated_at timestamptz, last_message text
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    c.id, c.title, c.created_at, c.updated_at,
    (select m.content from hq.chat_messages m where m.conversation_id = c.id order by m.created_at desc limit 1)
  from hq.conversations c
  where c.user_id = auth.uid()
  order by c.updated_at desc
  limit limit_count;
end
$$;

create function public.get_hq_chat_messages(p_conversation_id uuid) returns table (
  id uuid, role text, content text, created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  if not exists (select from hq.conversations c where c.id = p_conversation_id and c.user_id = auth.uid()) then
    raise exception 'Conversation introuvable';
  end if;
  return query
  select m.id, m.role, m.content, m.created_at
  from hq.chat_messages m
  where m.conversation_id = p_conversation_id
  order by m.created_at;
end
$$;

create function public.create_hq_conversation(p_title text default 'Nouvelle conversation') returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  new_id uuid;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  insert into hq.conversations (user_id, title) values (auth.uid(), p_title) returning id into new_id;
  return new_id;
end
$$;

-- The first thing the user says becomes the title.
create function public.add_hq_chat_message(p_conversation_id uuid, p_role text, p_content text) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  new_id uuid;
  is_first boolean;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  if not exists (select from hq.conversations c where c.id = p_conversation_id and c.user_id = auth.uid()) then
    raise exception 'Conversation introuvable';
  end if;
  is_first := p_role = 'user' and not exists (
    select from hq.chat_messages m where m.conversation_id = p_conversation_id and m.role = 'user'
  );
  insert into hq.chat_messages (conversation_id, role, content)
  values (p_conversation_id, p_role, p_content)
  returning id into new_id;
  update hq.conversations
  set updated_at = now(), title = case when is_first then left(p_content, 60) else title end
  where id = p_conversation_id;
  return new_id;
end
$$;

create function public.delete_hq_conversation(p_conversation_id uuid) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  delete from hq.conversations where id = p_conversation_id and user_id = auth.uid();
  return found;
end
$$;

-- Journal.

create function public.get_hq_journal_entries(limit_count integer default 50) returns table (
  id uuid, entry_type text, title text, content text, tags text[], linked_kpis jsonb, impact_measured jsonb,
  is_pinned boolean, created_at timestamptz, updated_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    j.id, j.entry_type, j.title, j.content, j.tags, j.linked_kpis, j.impact_measured, j.is_pinned, j.created_at,
    j.updated_at
  from hq.journal_entries j
  where j.user_id = auth.uid()
  order by j.is_pinned desc, j.created_at desc
  limit limit_count;
end
$$;

create function public.create_hq_journal_entry(
  p_title text,
  p_content text default '',
  p_entry_type text default 'decision',
  p_tags text[] default '{}',
  p_linked_kpis jsonb default '[]'
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  new_id uuid;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  insert into hq.journal_entries (user_id, title, content, entry_type, tags, linked_kpis)
  values (auth.uid(), p_title, p_content, p_entry_type, p_tags, p_linked_kpis)
  returning id into new_id;
  return new_id;
end
$$;

-- Null keeps what is there.
create function public.update_hq_journal_entry(
  p_id uuid,
  p_title text default null,
  p_content text default null,
  p_tags text[] default null,
  p_impact_measured jsonb default null,
  p_is_pinned boolean default null
) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  update hq.journal_entries
  set
    title = coalesce(p_title, title),
    content = coalesce(p_content, content),
    tags = coalesce(p_tags, tags),
    impact_measured = coalesce(p_impact_measured, impact_measured),
    is_pinned = coalesce(p_is_pinned, is_pinned),
    updated_at = now()
  where id = p_id and user_id = auth.uid();
  return found;
end
$$;

create function public.delete_hq_journal_entry(p_id uuid) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  delete from hq.journal_entries where id = p_id and user_id = auth.uid();
  return found;
end
$$;

-- Morning brief and devices.

-- The newest brief up to the date, which may be days old.
create function public.get_hq_morning_digest(p_date date default current_date) returns table (
  id uuid, digest_date date, executive_summary text, sections jsonb, data_sources text[], model_used text,
  generation_duration_ms integer, triggered_by text, created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    d.id, d.digest_date, d.executive_summary, d.sections, d.data_sources, d.model_used, d.generation_duration_ms,
    d.triggered_by, d.created_at
  from hq.morning_digests d
  where d.digest_date <= p_date
  order by d.digest_date desc
  limit 1;
end
$$;

-- No check: anybody may overwrite what the president reads today.
create function public.upsert_hq_morning_digest(
  p_executive_summary text,
  p_sections jsonb default '{}',
  p_data_sources text[] default '{}',
  p_model_used text default null,
  p_generation_duration_ms integer default null,
  p_triggered_by text default 'scheduler'
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  digest_id uuid;
begin
  insert into hq.morning_digests (
    executive_summary, sections, data_sources, model_used, generation_duration_ms, triggered_by
  )
  values (
    p_executive_summary, p_sections, p_data_sources, p_model_used, p_generation_duration_ms, p_triggered_by
  )
  on conflict (digest_date) do update
  set
    executive_summary = excluded.executive_summary,
    sections = excluded.sections,
    data_sources = excluded.data_sources,
    model_used = excluded.model_used,
    generation_duration_ms = excluded.generation_duration_ms,
    triggered_by = excluded.triggered_by,
    created_at = now()
  returning id into digest_id;
  return digest_id;
end
$$;

create function public.save_push_subscription(
  p_endpoint text,
  p_p256dh text,
  p_auth_key text,
  p_user_agent text default null,
  p_device_label text default 'Appareil'
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  subscription_id uuid;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  insert into hq.push_subscriptions (user_id, endpoint, p256dh, auth_key, user_agent, device_label)
  values (auth.uid(), p_endpoint, p_p256dh, p_auth_key, p_user_agent, p_device_label)
  on conflict (user_id, endpoint) do update
  set
    p256dh = excluded.p256dh,
    auth_key = excluded.auth_key,
    user_agent = excluded.user_agent,
    device_label = excluded.device_label,
    is_active = true,
    last_used_at = now()
  returning id into subscription_id;
  return subscription_id;
end
$$;

create function public.remove_push_subscription(p_endpoint text) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  update hq.push_subscriptions set is_active = false where endpoint = p_endpoint and user_id = auth.uid();
  return found;
end
$$;

-- No check: the secrets of every device for anybody.
create function public.get_active_push_subscriptions() returns table (
  id uuid, endpoint text, p256dh text, auth_key text
)
language sql security definer set search_path = public, hq
as $$
  select s.id, s.endpoint, s.p256dh, s.auth_key from hq.push_subscriptions s where s.is_active
$$;

-- Dead letters.

-- Looks for an open entry before it inserts one, with no unique key: two callers at once make two.
create function public.enqueue_dlq_run(
  p_original_run_id uuid,
  p_run_type text,
  p_platform_key text default null,
  p_payload jsonb default '{}',
  p_failure_reason text default null
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  entry_id uuid;
begin
  select d.id into entry_id
  from hq.runs_dlq d
  where d.original_run_id = p_original_run_id and d.status in ('pending', 'in_progress')
  limit 1;
  if entry_id is not null then
    return entry_id;
  end if;
  insert into hq.runs_dlq (original_run_id, run_type, platform_key, payload, failure_reason, next_retry_at)
  values (
    p_original_run_id, p_run_type, p_platform_key, p_payload, p_failure_reason, now() + interval '1 minute'
  )
  returning id into entry_id;
  insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, details)
  values (
    'system', 'dlq', 'dlq.enqueued', 'run', p_original_run_id::text,
    jsonb_build_object('run_type', p_run_type, 'failure_reason', p_failure_reason)
  );
  return entry_id;
end
$$;

-- A claim without a lease: what a dead worker took stays `in_progress` for ever.
create function public.get_dlq_pending(limit_count integer default 20) returns table (
  id uuid, original_run_id uuid, run_type text, platform_key text, payload jsonb, attempts integer,
  max_attempts integer, next_retry_at timestamptz, failure_reason text, created_at timestamptz
)
language sql security definer set search_path = public, hq
as $$
  with due as (
    select d.id
    from hq.runs_dlq d
    where d.status = 'pending' and d.next_retry_at <= now()
    order by d.next_retry_at
    limit limit_count
    for update skip locked
  )
  update hq.runs_dlq d
  set status = 'in_progress', updated_at = now()
  from due
  where d.id = due.id
  returning
    d.id, d.original_run_id, d.run_type, d.platform_key, d.payload, d.attempts, d.max_attempts, d.next_retry_at,
    d.failure_reason, d.created_at
$$;

-- True for an unknown id as well.
create function public.mark_dlq_attempt(p_dlq_id uuid, p_outcome text, p_error text default null) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if p_outcome not in ('recovered', 'failed', 'abandoned') then
    raise exception 'Issue inconnue : %', p_outcome;
  end if;
  update hq.runs_dlq
  set
    attempts = attempts + 1,
    last_error = p_error,
    updated_at = now(),
    status = case
      when p_outcome <> 'failed' then p_outcome
      when attempts + 1 >= max_attempts then 'abandoned'
      else 'pending'
    end,
    resolved_at = case when p_outcome <> 'failed' or attempts + 1 >= max_attempts then now() end,
    next_retry_at = now() + case attempts
      when 0 then interval '5 minutes'
      when 1 then interval '30 minutes'
      else interval '1 hour'
    end
  where id = p_dlq_id;
  return true;
end
$$;

revoke execute on function
  public.enqueue_dlq_run, public.get_dlq_pending, public.mark_dlq_attempt
from public, anon, authenticated;

create function public.get_hq_dlq_entries(limit_count integer default 50) returns table (
  id uuid, original_run_id uuid, run_type text, platform_key text, attempts integer, max_attempts integer,
  status text, failure_reason text, last_error text, next_retry_at timestamptz, created_at timestamptz,
  resolved_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    d.id, d.original_run_id, d.run_type, d.platform_key, d.attempts, d.max_attempts, d.status, d.failure_reason,
    d.last_error, d.next_retry_at, d.created_at, d.resolved_at
  from hq.runs_dlq d
  order by d.created_at desc
  limit limit_count;
end
$$;

-- Costs. Two functions hold the same map of prices, as constants; here it is written once and put into both.

do $do$
declare
  prices constant text := quote_literal(
    '{"DAILY_EXECUTIVE_BRIEF": 0.10, "CEO_STANDUP_MEETING": 0.05, "PLATFORM_STATUS_REVIEW": 0.02,
      "SECURITY_AUDIT_RLS": 0.18, "RELEASE_GATE_CHECK": 0.12, "DEPLOY_TO_PRODUCTION": 0.15,
      "RLS_POLICY_UPDATE": 0.20, "COMPETITIVE_ANALYSIS": 0.25, "QUALITY_AUDIT": 0.15,
      "ADS_PERFORMANCE_REVIEW": 0.10, "GROWTH_STRATEGY_REVIEW": 0.22, "OKR_QUARTERLY_REVIEW": 0.08,
      "COMPLIANCE_RGPD_CHECK": 0.16, "SEO_AUDIT": 0.20, "CONTENT_CALENDAR_PLAN": 0.06, "REVENUE_FORECAST": 0.14,
      "LEAD_SCORING_UPDATE": 0.07, "FINANCIAL_REPORT": 0.12, "RGPD_AUDIT": 0.16, "VULNERABILITY_SCAN": 0.18,
      "ROADMAP_UPDATE": 0.08, "CODE_REVIEW": 0.12, "DEPLOYMENT_CHECK": 0.06, "DATA_INSIGHTS_REPORT": 0.14,
      "AGENT_PERFORMANCE_REVIEW": 0.08, "TECH_WATCH_REPORT": 0.10, "MARKETING_WEEK_PLAN": 0.04,
      "MASS_EMAIL_CAMPAIGN": 0.15, "PRICING_CHANGE": 0.20}'
  );
begin
  execute replace($budget$
    create function public.get_hq_ai_budget_status() returns jsonb
    language plpgsql security definer set search_path = public, hq
    as $$
    declare
      prices constant jsonb := <prices>;
      config jsonb := (select c.value from hq.system_config c where c.key = 'ai_budget');
      target numeric := coalesce((config ->> 'monthly_target_eur')::numeric, 200);
      threshold numeric := coalesce((config ->> 'alert_threshold_pct')::numeric, 80);
      monthly numeric;
      daily numeric;
      used numeric;
    begin
      if not public.is_owner() then
        raise exception 'Accès non autorisé';
      end if;
      select coalesce(sum(price), 0), coalesce(sum(price) filter (where created_at >= date_trunc('day', now())), 0)
      into monthly, daily
      from (
        select r.created_at, coalesce((prices ->> r.run_type)::numeric, 0.05) as price
        from hq.runs r
        where r.status = 'completed' and r.created_at >= date_trunc('month', now())
      ) priced;
      used := round(100 * monthly / nullif(target, 0), 2);
      return jsonb_build_object(
        'monthly_cost_eur', monthly,
        'daily_cost_eur', daily,
        'monthly_target_eur', target,
        'alert_threshold_pct', threshold,
        'pct_used', used,
        'projection_eur', round(30 * monthly / extract(day from now()), 2),
        'is_alert_threshold_reached', used >= threshold,
        'last_alert_sent_at', config -> 'last_alert_sent_at',
        'computed_at', now()
      );
    end
    $$
  $budget$, '<prices>', prices);
  execute replace($top$
    create function public.get_hq_top_run_costs(p_window_days integer default 30) returns jsonb
    language plpgsql security definer set search_path = public, hq
    as $$
    declare
      prices constant jsonb := <prices>;
      answer jsonb;
    begin
      if not public.is_owner() then
        raise exception 'Accès non autorisé';
      end if;
      with by_type as (
        select
          r.run_type,
          count(*) as run_count,
          coalesce((prices ->> r.run_type)::numeric, 0.05) as unit_cost_eur,
          count(*) * coalesce((prices ->> r.run_type)::numeric, 0.05) as total_cost_eur
        from hq.runs r
        where r.status = 'completed' and r.created_at >= now() - make_interval(days => p_window_days)
        group by r.run_type
      )
      select jsonb_build_object(
        'window_days', p_window_days,
        'computed_at', now(),
        'top_5', coalesce(
          (select jsonb_agg(to_jsonb(t)) from (select * from by_type order by total_cost_eur desc limit 5) t), '[]'
        ),
        'total_cost_eur', coalesce((select sum(b.total_cost_eur) from by_type b), 0),
        'total_runs', coalesce((select sum(b.run_count) from by_type b), 0)
      )
      into answer;
      return answer;
    end
    $$
  $top$, '<prices>', prices);
end
$do$;

-- Measures.

create function public.get_hq_run_duration_metrics() returns jsonb
language plpgsql security definer set search_path = public, hq
as $$
declare
  answer jsonb;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  with done as (
    select r.run_type, (1000 * extract(epoch from r.completed_at - r.started_at))::double precision as ms
    from hq.runs r
    where r.status = 'completed' and r.created_at >= now() - interval '7 days'
      and r.started_at is not null and r.completed_at is not null
  ),
  by_type as (
    select
      d.run_type,
      count(*) as count,
      round(avg(d.ms)) as avg_ms,
      round(percentile_cont(0.95) within group (order by d.ms)) as p95_ms
    from done d
    group by d.run_type
  )
  select jsonb_build_object(
    'window_days', 7,
    'total_runs', count(*),
    'avg_ms', coalesce(round(avg(ms)), 0),
    'p50_ms', coalesce(round(percentile_cont(0.50) within group (order by ms)), 0),
    'p95_ms', coalesce(round(percentile_cont(0.95) within group (order by ms)), 0),
    'p99_ms', coalesce(round(percentile_cont(0.99) within group (order by ms)), 0),
    'max_ms', coalesce(round(max(ms)), 0),
    'by_run_type', coalesce((select jsonb_agg(to_jsonb(b) order by b.count desc) from by_type b), '[]'),
    'computed_at', now()
  )
  into answer
  from done;
  return answer;
end
$$;

-- Constants for targets, whatever hq.slo_targets says. Successes are counted among completed runs only, so failed
-- runs never weigh; the uptime is the share of log rows that are no errors; and one appendix whose `fallback_used`
-- is no boolean makes the whole function fail.
create function public.get_hq_slo_status() returns jsonb
language plpgsql security definer set search_path = public, hq
as $$
declare
  since constant timestamptz := now() - interval '7 days';
  completed bigint;
  succeeded bigint;
  fast bigint;
  p95 double precision;
  success_pct numeric;
  uptime_pct numeric;
  fresh bigint := (select count(*) from hq.runs r where r.created_at >= now() - interval '24 hours');
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  select
    count(*),
    count(*) filter (where not coalesce((r.detailed_appendix ->> 'fallback_used')::boolean, false)),
    count(*) filter (where r.completed_at - r.started_at <= interval '30 seconds'),
    coalesce(
      percentile_cont(0.95) within group (order by 1000 * extract(epoch from r.completed_at - r.started_at)), 0
    )
  into completed, succeeded, fast, p95
  from hq.runs r
  where r.status = 'completed' and r.created_at >= since;
  success_pct := coalesce(round(100.0 * succeeded / nullif(completed, 0), 2), 100);
  select coalesce(round(100.0 - 100.0 * count(*) filter (where l.level = 'error') / nullif(count(*), 0), 2), 100)
  into uptime_pct
  from hq.structured_logs l
  where l.created_at >= since;
  return jsonb_build_object(
    'window_days', 7,
    'computed_at', now(),
    'slos', jsonb_build_array(
      jsonb_build_object(
        'key', 'uptime_api', 'name', 'Disponibilité de l''API', 'target_pct', 99.5, 'current_pct', uptime_pct,
        'is_compliant', uptime_pct >= 99.5, 'budget_remaining_pct', greatest(0, uptime_pct - 99.5)
      ),
      jsonb_build_object(
        'key', 'p95_run_duration', 'name', 'Durée des runs (p95)', 'target_pct', 95,
        'current_pct', coalesce(round(100.0 * fast / nullif(completed, 0), 2), 100),
        'is_compliant', p95 <= 30000, 'threshold_ms', 30000, 'current_value_ms', round(p95)
      ),
      jsonb_build_object(
        'key', 'run_success_rate', 'name', 'Taux de réussite des runs', 'target_pct', 95,
        'current_pct', success_pct, 'is_compliant', success_pct >= 95, 'total_runs', completed,
        'success_runs', succeeded, 'budget_remaining_pct', greatest(0, success_pct - 95)
      ),
      jsonb_build_object(
        'key', 'data_freshness', 'name', 'Fraîcheur des données', 'target_pct', 99,
        'current_pct', case when fresh > 0 then 100 else 0 end, 'is_compliant', fresh > 0, 'recent_runs_24h', fresh
      )
    )
  );
end
$$;

-- Counts pending and running runs as successes. The road map and the runbooks are constants, in words of ours.
create function public.get_hq_governance_dashboard() returns jsonb
language plpgsql security definer set search_path = public, hq
as $$
declare
  total bigint;
  failed bigint;
  waiting bigint;
  abandoned bigint;
  score numeric;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  select count(*), count(*) filter (where r.status = 'failed')
  into total, failed
  from hq.runs r
  where r.created_at >= now() - interval '30 days';
  select count(*) filter (where d.status = 'pending'), count(*) filter (where d.status = 'abandoned')
  into waiting, abandoned
  from hq.runs_dlq d;
  score := 100
    - least(15, 3 * abandoned)
    - case when waiting > 5 then 5 else 0 end
    - case when failed > 0.05 * total then 10 else 0 end;
  return jsonb_build_object(
    'computed_at', now(),
    'audit_score', score,
    'audit_grade', case
      when score >= 95 then 'A+'
      when score >= 90 then 'A'
      when score >= 80 then 'B'
      when score >= 70 then 'C'
      else 'D'
    end,
    'roadmap', jsonb_build_array(
      jsonb_build_object(
        'horizon', '30 jours', 'name', 'Sécurité', 'status', 'done', 'progress', 100,
        'highlights', jsonb_build_array('Droits vérifiés', 'Journal d''audit protégé')
      ),
      jsonb_build_object(
        'horizon', '60 jours', 'name', 'Fiabilité', 'status', 'done', 'progress', 100,
        'highlights', jsonb_build_array('Reprise des échecs', 'Objectifs de service')
      ),
      jsonb_build_object(
        'horizon', '90 jours', 'name', 'Gouvernance', 'status', 'in_progress', 'progress', 60,
        'highlights', jsonb_build_array('Budget IA suivi')
      ),
      jsonb_build_object(
        'horizon', '6 mois', 'name', 'Multi-organisation', 'status', 'planned', 'progress', 20,
        'highlights', jsonb_build_array('Organisations préparées')
      )
    ),
    'reliability', jsonb_build_object(
      'total_runs_30d', total,
      'failed_runs_30d', failed,
      'success_rate_pct', coalesce(round(100.0 * (total - failed) / nullif(total, 0), 2), 100),
      'dlq_pending', waiting,
      'dlq_abandoned', abandoned
    ),
    'governance', jsonb_build_object(
      'recent_audit_actions_7d',
      (select count(*) from hq.audit_logs a where a.created_at >= now() - interval '7 days'),
      'rls_policies_count', (select count(*) from pg_policies p where p.schemaname in ('hq', 'public')),
      'edge_functions_count', 17
    ),
    'runbooks', jsonb_build_array(
      jsonb_build_object(
        'id', 'run-echoue', 'title', 'Un run a échoué',
        'steps', jsonb_build_array('Lire le résumé du run', 'Relancer une fois', 'Consulter les journaux')
      ),
      jsonb_build_object(
        'id', 'budget-depasse', 'title', 'Le budget IA est dépassé',
        'steps', jsonb_build_array('Suspendre l''autopilote', 'Relever le budget ou attendre')
      )
    )
  );
end
$$;

-- Rate limit.

-- The seconds are rounded where their base is truncated: the two halves of each second fall into two buckets, which
-- doubles the limit.
create function public.check_ip_rate_limit(
  p_bucket_key text, p_max_requests integer default 10, p_window_seconds integer default 60
) returns jsonb
language plpgsql security definer set search_path = public
as $$
declare
  started constant timestamptz :=
    date_trunc('second', now()) - make_interval(secs => extract(epoch from now())::int % p_window_seconds);
  ends constant timestamptz := started + make_interval(secs => p_window_seconds);
  used integer;
begin
  delete from public.rate_limit_buckets where expires_at < now();
  insert into public.rate_limit_buckets as bucket (bucket_key, window_start, expires_at)
  values (p_bucket_key, started, ends)
  on conflict (bucket_key, window_start) do update set count = bucket.count + 1
  returning bucket.count into used;
  return jsonb_build_object(
    'allowed', used <= p_max_requests,
    'current', used,
    'max', p_max_requests,
    'remaining', greatest(0, p_max_requests - used),
    'reset_at', ends,
    'retry_after_seconds', case when used <= p_max_requests then 0 else ceil(extract(epoch from ends - now())) end
  );
end
$$;

create function public.purge_rate_limit_buckets() returns integer
language plpgsql security definer set search_path = public
as $$
declare
  deleted integer;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  delete from public.rate_limit_buckets where expires_at < now();
  get diagnostics deleted = row_count;
  return deleted;
end
$$;

-- Organisations.

-- Asks about the caller, whatever user it is given.
create function public.has_org_access(_user_id uuid, _org_id uuid) returns boolean
language sql stable security definer set search_path = public
as $$
  select exists (
    select from public.organization_members m where m.organization_id = _org_id and m.user_id = auth.uid()
  )
$$;

create function public.current_user_org_id() returns uuid
language sql stable security definer set search_path = public
as $$
  select m.organization_id
  from public.organization_members m
  where m.user_id = auth.uid()
  order by m.created_at
  limit 1
$$;

-- Scheduled jobs, where pg_cron is. The second one has never worked: nobody sets the two settings that it reads,
-- and the service that would post it (pg_net) is not part of this stack either.

do $$
begin
  if to_regclass('cron.job') is null then
    return;
  end if;
  perform cron.schedule('purge-old-hq-logs', '0 3 * * *', 'select hq.purge_old_logs()');
  perform cron.schedule(
    'check-push-triggers-every-15min',
    '*/15 * * * *',
    $job$
      select net.http_post(
        url := current_setting('app.settings.service_url') || '/functions/v1/check-push-triggers',
        headers := jsonb_build_object(
          'Authorization', 'Bearer ' || current_setting('app.settings.service_role_key')
        ),
        body := '{}'::jsonb
      )
    $job$
  );
end
$$;
