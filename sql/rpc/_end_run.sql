-- End a run for good, as completed, failed or cancelled, with all that follows: its queue row, the action that a report
-- proposes, the message to open pages, its dead letter, its log. p_lease_token: given when the lease holder ends it.
-- The caller holds the queue row, then the run, and knows that it has not ended. Part of the caller's transaction.
-- Raises nothing of its own.
create or replace function hq.end_run(
  p_run_id uuid,
  p_status hq.run_status,
  p_summary text,
  p_appendix jsonb,
  p_log jsonb,
  p_lease_token bigint default null
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_queue hq.run_queue;
  v_key text;
  v_retry_of uuid;
  v_run_type text;
  v_requires_approval boolean;
  v_fills_digest boolean;
begin
  update hq.runs as r
  set
    status = p_status,
    completed_at = clock_timestamp(),
    executive_summary = p_summary,
    detailed_appendix = p_appendix,
    director_agent_id = case
      when p_lease_token is null then r.director_agent_id
      else coalesce(r.director_agent_id, hq.find_director(r.run_type))
    end
  where r.id = p_run_id
  returning r.run_type into v_run_type;
  delete from hq.run_queue as q where q.run_id = p_run_id returning q.* into v_queue;
  if p_status = 'completed' then
    -- One look-up for most types, which need none of the three: each of them asks the run for its type.
    select t.requires_approval, t.fills_digest into v_requires_approval, v_fills_digest
    from hq.run_types as t where t.key = v_run_type;
    if v_requires_approval then
      perform hq.propose_action(p_run_id);
    end if;
    if v_fills_digest then
      perform hq.write_digest(p_run_id);
      perform hq.announce_brief(p_run_id);
    end if;
  elsif p_status = 'failed' then
    -- Of an older program's run there is no lease, and no other end.
    v_key := concat_ws(':', 'run_failed', p_run_id, v_queue.lease_token);
    perform hq.announce_event(v_key, 'run_failed', hq.describe_failure(p_run_id));
    -- Whoever asked may be waiting for an answer, which says more: see take_hq_announcements_v2.
    update hq.announcements as a set due_at = now() + interval '10 seconds' where a.key = v_key;
  end if;
  if p_lease_token is not null then
    -- Recognises a settlement that is repeated because its answer was lost.
    update hq.run_requests set settled_token = p_lease_token where run_id = p_run_id returning retry_of into v_retry_of;
  end if;
  -- The dead letter of an older program's run, which has no place in our queue, is that program's.
  if p_status = 'cancelled' or p_status = 'failed' and v_queue.run_id is not null or v_retry_of is not null then
    perform hq.track_dead_letter(p_run_id);
  end if;
  perform hq.log_run(
    case p_status when 'failed' then 'error' else 'info' end,
    'run.' || p_status,
    p_run_id,
    jsonb_strip_nulls(jsonb_build_object('attempt', v_queue.attempt + 1)) || p_log
  );
end
$$;
revoke execute on function hq.end_run from public, anon, authenticated;
comment on function hq.end_run is 'Termine une exécution pour de bon, avec toutes les suites de sa fin.';
