-- Bring the dead letters up to date with a run: one entry per run that failed for good, with its whole request; if the
-- run retries earlier entries, they get its real status. Nothing retries an entry by itself: none is ever due.
-- Part of the transaction that changed the run and holds it: exactly one entry, whoever failed it. Idempotent.
-- Raises nothing of its own: without hq.runs_dlq nothing is done, and an entry that its checks refuse is journalled.
create or replace function hq.track_dead_letter(p_run_id uuid, p_error_code text default null)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_never constant timestamptz := hq.never_due();
  v_run record;
  v_earlier uuid[];
  v_is_kept boolean;
begin
  if to_regclass('hq.runs_dlq') is null then
    return;
  end if;
  select
    r.status, r.run_type, r.platform_key, r.executive_summary as sentence,
    coalesce(p_error_code, r.detailed_appendix ->> 'error_code', 'unspecified') as code,
    q.run_id is not null as is_ours, q.context, q.trigger, q.requester, q.created_at as requested_at
  into v_run
  from hq.runs as r
  left join hq.run_requests as q on q.run_id = r.id
  where r.id = p_run_id;
  with recursive tries (run_id) as (
    select q.retry_of from hq.run_requests as q where q.run_id = p_run_id
    union
    select q.retry_of from tries as t join hq.run_requests as q on q.run_id = t.run_id
  )
  select coalesce(array_agg(t.run_id) filter (where t.run_id <> p_run_id), '{}') into v_earlier from tries as t;

  if v_run.status = 'failed' then
    v_is_kept := v_run.is_ours and coalesce(
      (select f.lettre_morte from hq.list_failure_codes() as f where f.code = v_run.code), true
    );
    update hq.runs_dlq as d
    set
      status = case when v_is_kept then 'abandoned' else 'pending' end,
      attempts = d.attempts + 1,
      last_error = left(v_run.sentence, 500),
      next_retry_at = v_never,
      updated_at = now(),
      resolved_at = case when v_is_kept then now() end
    where d.original_run_id = any (v_earlier) and d.status in ('pending', 'in_progress');
    update hq.runs_dlq as d
    set
      status = 'pending',
      attempts = d.attempts + 1,
      failure_reason = v_run.code,
      last_error = left(v_run.sentence, 500),
      next_retry_at = v_never,
      updated_at = now(),
      resolved_at = null
    where d.original_run_id = p_run_id and d.status <> 'pending';
    insert into hq.runs_dlq (
      original_run_id, run_type, platform_key, payload, failure_reason, last_error, next_retry_at
    )
    select
      p_run_id,
      v_run.run_type,
      v_run.platform_key,
      jsonb_build_object(
        'run_type', v_run.run_type, 'platform_key', v_run.platform_key, 'context', v_run.context,
        'trigger', v_run.trigger, 'requester', v_run.requester, 'requested_at', v_run.requested_at
      ),
      v_run.code,
      left(v_run.sentence, 500),
      v_never
    where v_is_kept and not exists (select from hq.runs_dlq as d where d.original_run_id = p_run_id);
  else
    update hq.runs_dlq as d
    set
      status = case v_run.status
        when 'completed' then 'recovered'
        when 'cancelled' then 'pending'
        else 'in_progress'
      end,
      attempts = d.attempts + case v_run.status when 'completed' then 1 else 0 end,
      next_retry_at = v_never,
      updated_at = now(),
      resolved_at = case v_run.status when 'completed' then now() end
    where d.original_run_id = any (v_earlier || p_run_id)
      and d.status <> 'recovered'
      and (v_run.status <> 'cancelled' or d.status = 'in_progress');
  end if;
exception when integrity_constraint_violation or undefined_column or insufficient_privilege then
  -- The table is the host's: what it became must not undo the end of a run.
  perform hq.write_log(
    'warn',
    'scheduler',
    'dlq.refused',
    jsonb_build_object('run_id', p_run_id, 'error_message', left(sqlerrm, 500)),
    p_run_id
  );
end
$$;
revoke execute on function hq.track_dead_letter from public, anon, authenticated;
comment on function hq.track_dead_letter is 'Tient la lettre morte d''une exécution à jour de son état réel.';
