-- Cancel a run that has not ended. It is over at once; a worker that executes it notices within 2 s and can write
-- nothing, because its queue row is gone.
-- Locks the queue row, then the run. Idempotent: a run that has ended stays as it is.
-- Raises HQ001 not allowed, HQ006 unknown run, HQ008 another session holds the run. Answers the run's status.
create or replace function public.cancel_hq_run(p_run_id uuid)
returns text
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_caller text := hq.caller();
  v_status hq.run_status;
  v_started_at timestamptz;
  v_measured jsonb;
begin
  perform from hq.run_queue as q where q.run_id = p_run_id for update;
  select r.status, r.started_at into v_status, v_started_at from hq.runs as r where r.id = p_run_id for no key update;
  if not found then
    raise exception using
      errcode = 'HQ006',
      message = 'Cette exécution est introuvable.',
      hint = 'Donnez l''identifiant d''une ligne de hq.runs.';
  elsif v_status not in ('pending', 'running') then
    return v_status::text;
  end if;
  v_measured := jsonb_build_object(
    'duration_ms', hq.elapsed_ms(v_started_at), 'cost_estimate', hq.run_cost(p_run_id)
  );
  perform hq.end_run(
    p_run_id,
    'cancelled',
    'Exécution annulée à votre demande. Il ne reste rien à faire ; relancez-la quand vous le souhaitez.',
    v_measured || jsonb_build_object('error_code', 'cancelled', 'fallback_used', false),
    v_measured || jsonb_build_object('cancelled_by', v_caller)
  );
  return 'cancelled';
exception when lock_not_available then
  perform hq.refuse_held();
  return null;
end
$$;
revoke execute on function public.cancel_hq_run from public, anon, authenticated;
grant execute on function public.cancel_hq_run to authenticated, service_role;
comment on function public.cancel_hq_run is 'Annule une exécution non terminée.';
