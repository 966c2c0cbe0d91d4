-- Write a business event of a run, with the metadata that the screens and the operators expect, flat.
-- Part of the caller's transaction: the event and the state change are kept or lost together.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing of its own.
create or replace function hq.log_run(p_level text, p_event text, p_run_id uuid, p_extra jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform hq.write_log(
    p_level,
    'executive-run',
    p_event,
    jsonb_build_object(
      'run_id', r.id,
      'run_type', r.run_type,
      'platform_key', r.platform_key,
      'trigger', q.trigger,
      'model_used', t.model,
      'duration_ms', 0,
      'cost_estimate', coalesce(t.cost_eur, 0.05),
      'attempt', coalesce(queue.attempt + 1, 1)
    ) || p_extra,
    r.id
  )
  from hq.runs as r
  left join hq.run_requests as q on q.run_id = r.id
  left join hq.run_queue as queue on queue.run_id = r.id
  left join hq.run_types as t on t.key = r.run_type
  where r.id = p_run_id;
end
$$;
revoke execute on function hq.log_run from public, anon, authenticated;
comment on function hq.log_run is 'Journalise un événement d''exécution avec ses métadonnées usuelles.';
