-- Take a run that somebody ended in the table editor out of the queue. A run ended as failed has its failure logged
-- like any other. It keeps the summary that it was ended with, not one that says it goes on.
-- The caller holds the queue row, then the run. Part of the caller's transaction.
-- Raises nothing of its own.
create or replace function hq.drop_ended_run(p_run_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_run record;
begin
  select r.status, r.started_at into v_run from hq.runs as r where r.id = p_run_id;
  if v_run.status = 'failed' then
    perform hq.log_run('error', 'run.failed', p_run_id, jsonb_build_object(
      'error_code', 'ended_by_hand',
      'model_used', (
        select c.model from hq.run_costs as c where c.run_id = p_run_id order by c.lease_token desc, c.id desc limit 1
      ),
      'duration_ms', hq.elapsed_ms(v_run.started_at),
      'cost_estimate', hq.run_cost(p_run_id)
    ));
  else
    perform hq.log_run('warn', 'run.dropped', p_run_id, jsonb_build_object('status', v_run.status));
  end if;
  delete from hq.run_queue where run_id = p_run_id;
  update hq.runs as r
  set executive_summary = null
  where r.id = p_run_id
    and r.executive_summary in (hq.progress_summary('pending'), hq.progress_summary('running'));
  perform hq.track_dead_letter(p_run_id, 'ended_by_hand');
end
$$;
revoke execute on function hq.drop_ended_run from public, anon, authenticated;
comment on function hq.drop_ended_run is 'Sort de la file une exécution terminée à la main.';
