-- Cancel a run from the SQL editor: select hq.cancel_run('…');
-- Idempotent as public.cancel_hq_run, which does the work; refused to the API roles, who have that one.
-- Raises HQ006 unknown run, HQ008 another session holds the run.
create or replace function hq.cancel_run(p_run_id uuid)
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_before hq.run_status;
begin
  select r.status into v_before from hq.runs as r where r.id = p_run_id;
  return case public.cancel_hq_run(p_run_id)
    when 'completed' then 'Trop tard : l''exécution est terminée, son rapport est là.'
    when 'failed' then 'Trop tard : l''exécution a échoué. Pour la relancer : select * from hq.retry_run(…);'
    else case
      when v_before = 'cancelled' then 'L''exécution était déjà annulée.'
      else 'L''exécution est annulée.'
    end
  end;
end
$$;
revoke execute on function hq.cancel_run from public, anon, authenticated;
comment on function hq.cancel_run is 'Annule une exécution depuis l''éditeur SQL, même pendant qu''elle tourne.';
