-- Cancel a run that has not ended. It is over at once; a worker that executes it hears of it within 2 s and can
-- write nothing, because its queue row is gone.
-- Locks the queue row, then the run. Idempotent: a run that has ended stays as it is.
-- Raises HQ001 not allowed, HQ006 unknown run. Answers the run's status.
create or replace function public.cancel_hq_run(p_run_id uuid)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_caller text := hq.caller();
  v_status hq.run_status;
  v_appendix jsonb;
begin
  perform from hq.run_queue as q where q.run_id = p_run_id for update;
  select r.status into v_status from hq.runs as r where r.id = p_run_id for no key update;
  if not found then
    raise exception using
      errcode = 'HQ006',
      message = 'Cette exécution est introuvable.',
      hint = 'Donnez l''identifiant d''une ligne de hq.runs.';
  elsif v_status not in ('pending', 'running') then
    return v_status::text;
  end if;
  update hq.runs as r
  set
    status = 'cancelled',
    completed_at = clock_timestamp(),
    executive_summary = 'Exécution annulée à votre demande. Rien ne reste à faire ; relancez-la quand vous le souhaitez.',
    detailed_appendix = jsonb_build_object(
      'error_code', 'cancelled',
      'fallback_used', false,
      'duration_ms', hq.elapsed_ms(r.started_at),
      'cost_estimate', (
        select coalesce(round(sum(c.cost_eur), 6), 0) from hq.run_costs as c where c.run_id = p_run_id
      )
    )
  where r.id = p_run_id
  returning r.detailed_appendix into v_appendix;
  perform hq.log_run('info', 'run.cancelled', p_run_id, jsonb_build_object(
    'cancelled_by', v_caller,
    'duration_ms', v_appendix -> 'duration_ms',
    'cost_estimate', v_appendix -> 'cost_estimate'
  ));
  delete from hq.run_queue where run_id = p_run_id;
  perform hq.track_dead_letter(p_run_id);
  return 'cancelled';
end
$$;
revoke execute on function public.cancel_hq_run from public, anon, authenticated;
grant execute on function public.cancel_hq_run to authenticated, service_role;
comment on function public.cancel_hq_run is 'Annule une exécution non terminée.';
