-- Ask again for a run that has ended, with its whole request, from the SQL editor: select * from hq.retry_run('…');
-- Goes through request_hq_run_v2 as everybody does, so a run in flight of the same type and platform answers it, and
-- two who ask at once get one. A pause is named in the reason, for the person who reads it.
-- Its dead letter, if it has one, says in_progress from then on, and later how the new run ended. For a letter whose
-- run is gone, what the letter says is asked for.
-- Locks the run that answers.
-- Raises HQ006 unknown run, HQ008 another session holds it, and what request_hq_run_v2 raises.
create or replace function hq.retry_run(p_run_id uuid)
returns table (run_id uuid, status text, created boolean, reason text)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_run record;
  v_is_paused boolean;
begin
  select r.run_type, r.platform_key, r.status, q.context into v_run
  from hq.runs as r
  left join hq.run_requests as q on q.run_id = r.id
  where r.id = p_run_id;
  if not found then
    select d.run_type, d.platform_key, 'failed'::hq.run_status as status, d.context into v_run
    from hq.find_dead_letters() as d
    where d.run_id = p_run_id;
  end if;
  if not found then
    raise exception using
      errcode = 'HQ006',
      message = 'Cette exécution est introuvable.',
      hint = 'Les échecs récents et les lettres mortes : select * from hq.failures;';
  elsif v_run.status in ('pending', 'running') then
    return query select p_run_id, v_run.status::text, false, 'not_ended';
    return;
  end if;

  select a.* into run_id, status, created, reason, v_is_paused
  from public.request_hq_run_v2(v_run.run_type, v_run.platform_key, coalesce(v_run.context, '{}'), 'retry') as a;
  -- A run in flight that was asked something else is no new try of this one.
  if created or reason = 'already_running' then
    -- Whoever settles it holds it: once we do, either it has not ended or we see how it did.
    perform from hq.runs as r where r.id = run_id for no key update;
    update hq.run_requests as q set retry_of = p_run_id where q.run_id = retry_run.run_id and q.retry_of is null;
    perform hq.track_dead_letter(run_id);
  end if;
  reason := concat(reason, case when v_is_paused then ', paused' end);
  return next;
exception when lock_not_available then
  perform hq.refuse_held();
end
$$;
revoke execute on function hq.retry_run from public, anon, authenticated;
comment on function hq.retry_run is 'Relance une exécution terminée, '
  'avec toute sa demande (à lancer depuis l''éditeur SQL).';
