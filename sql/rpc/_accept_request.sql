-- Accept a request for a run: answer it with a run in flight or just ended, or make one.
-- Idempotent by key, by "one in flight per type and platform" and for ten seconds after a report, two after a failure.
-- The unique index on run_queue.dedupe_key decides between racing callers; a person's requests are serialised. Waits
-- for short transactions, not for one that somebody left open.
-- p_caller is what hq.caller() returns, or 'owner' for an owner whom the service vouches for;
-- p_requester is the person whose keys and limit apply.
-- Raises HQ001 trigger not allowed, HQ002 unknown type, HQ003 unknown platform, HQ004 too many, HQ005 too large,
-- HQ007 key used for something else, HQ008 another session holds this type or key.
create or replace function hq.accept_request(
  p_caller text,
  p_requester text,
  p_run_type text,
  p_platform_key text,
  p_context jsonb,
  p_trigger text,
  p_idempotency_key text,
  p_priority integer,
  p_force boolean
)
returns table (run_id uuid, status text, created boolean, reason text)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_trigger text := case p_caller when 'owner' then 'manual' else coalesce(p_trigger, 'manual') end;
  v_priority integer := case p_caller when 'owner' then 0 else coalesce(p_priority, 0) end;
  v_force boolean := coalesce(p_force, false);
  v_platform text := nullif(btrim(p_platform_key), '');
  v_context jsonb := coalesce(nullif(p_context, 'null'), '{}');
  v_key text := nullif(p_idempotency_key, '');
  v_run_id uuid := hq.make_id();
  v_retry_of uuid;
  v_dedupe text;
  v_is_ours boolean;
  v_found record;
  v_asked bytea;
begin
  perform hq.check_request(p_run_type, v_platform, v_context, v_trigger, v_key);

  if v_key is not null then
    v_asked := hq.digest_request(p_run_type, v_platform, v_context);
    -- Waits for a racing transaction with the same key, then sees what it made.
    insert into hq.request_keys (requester, idempotency_key, run_id, asked)
    values (p_requester, v_key, v_run_id, v_asked)
    on conflict do nothing;
    if not found then
      perform hq.check_key_use(p_requester, v_key, p_run_type, v_platform, v_asked);
      return query
        select f.run_id, f.status, false, 'replayed' || f.difference
        from hq.request_keys as k
        cross join lateral hq.describe_run(k.run_id, p_run_type, v_platform, v_context) as f
        where k.requester = p_requester and k.idempotency_key = v_key;
      return;
    end if;
  end if;

  -- The screens' relaunch button sends no context: give the failed run's back.
  if v_context = '{}' and v_trigger = 'manual' then
    v_retry_of := hq.run_to_relaunch(p_run_type, v_platform);
    v_context := coalesce((select q.context from hq.run_requests as q where q.run_id = v_retry_of), '{}');
  end if;

  if not v_force then
    v_dedupe := p_run_type || ':' || coalesce(v_platform, '');
  end if;

  loop
    insert into hq.run_queue (run_id, run_type, platform_key, dedupe_key, priority)
    values (v_run_id, p_run_type, v_platform, v_dedupe, v_priority)
    on conflict (dedupe_key) do nothing;
    v_is_ours := found;

    if not v_force and v_trigger <> 'retry' then
      -- A browser may send the same request again after its answer was lost; who retries means a new run.
      -- Looked for with the place taken, not before: a run that ends between the look and the taking would be seen
      -- by neither.
      select q.run_id, r.status::text as status into v_found
      from hq.runs as r
      join hq.run_requests as q on q.run_id = r.id
      where r.completed_at > now() - interval '10 seconds'
        -- A browser repeats at once. Whoever comes later has read the failure, and may have removed its cause.
        and (r.status = 'completed' or r.status = 'failed' and r.completed_at > now() - interval '2 seconds')
        and r.run_type = p_run_type
        and r.platform_key is not distinct from v_platform
        and q.requester = p_requester
        and q.context = v_context
      order by r.completed_at desc
      limit 1;
      if found then
        delete from hq.run_queue where run_id = v_run_id;
        update hq.request_keys set run_id = v_found.run_id
        where requester = p_requester and idempotency_key = v_key;
        return query select v_found.run_id, v_found.status, false, 'just_settled';
        return;
      end if;
    end if;
    exit when v_is_ours;

    select f.* into v_found
    from hq.run_queue as q
    cross join lateral hq.describe_run(q.run_id, p_run_type, v_platform, v_context) as f
    where q.dedupe_key = v_dedupe;
    if v_found.status in ('pending', 'running') then
      if v_trigger = 'manual' then
        -- Somebody is waiting in front of the screen: a delayed retry starts now.
        update hq.run_queue set run_at = now()
        where run_id = v_found.run_id and worker_id is null and run_at > now();
      end if;
      update hq.request_keys set run_id = v_found.run_id
      where requester = p_requester and idempotency_key = v_key;
      return query select v_found.run_id, v_found.status, false, 'already_running' || v_found.difference;
      return;
    end if;
    -- Its run was ended or deleted behind the queue's back, or settled since: clear the way and try again.
    perform hq.drop_ended_run(q.run_id)
    from (
      select q.run_id
      from hq.run_queue as q
      join hq.runs as r on r.id = q.run_id
      where q.dedupe_key = v_dedupe and r.status not in ('pending', 'running')
      for update of q for no key update of r
    ) as q;
  end loop;

  -- Only now: a request that another run answers costs nothing and is not counted.
  if p_caller = 'owner' then
    perform hq.check_request_limit(p_requester);
  end if;

  insert into hq.run_requests (
    run_id, requester, trigger, context, idempotency_key, forced, retry_of, traceparent
  )
  values (v_run_id, p_requester, v_trigger, v_context, v_key, v_force, v_retry_of, hq.read_traceparent());
  insert into hq.runs (id, run_type, platform_key, owner_requested, director_agent_id, executive_summary)
  values (
    v_run_id, p_run_type, v_platform, v_trigger = 'manual', hq.find_director(p_run_type), hq.progress_summary('pending')
  );
  if v_retry_of is not null then
    perform hq.track_dead_letter(v_run_id);
  end if;
  if v_trigger = 'manual' then
    -- Only what a person asked for, and not under run.…: the history of decisions reads the newest twenty rows and
    -- shows whatever begins with that as an approval.
    insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, details)
    values (
      case p_caller when 'owner' then 'owner' else 'system' end,
      p_requester,
      'executive_run.requested',
      'run',
      v_run_id::text,
      jsonb_build_object('run_type', p_run_type, 'platform_key', v_platform, 'trigger', v_trigger)
    );
  end if;
  return query select v_run_id, 'pending', true, 'created';
exception when lock_not_available then
  perform hq.refuse_held();
end
$$;
revoke execute on function hq.accept_request from public, anon, authenticated;
comment on function hq.accept_request is 'Accepte une demande d''exécution : '
  'la rattache à une exécution qui y répond, ou en crée une.';
