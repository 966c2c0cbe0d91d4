-- End a decision: launch what the rules still allow of p_run_types, through hq.accept_request, and journal it; all or
-- nothing, in one transaction, so that no launch is lost or doubled whichever process dies. p_refused: what was refused
-- before.
-- Fenced: a decision that was abandoned meanwhile launches nothing, and is billed. Repeating changes nothing and
-- returns the same. Journals what launches or refuses something; a decision that did neither, at most once an hour.
-- Raises HQ008 where another session holds the lock of decisions. recorded is false where the decision was somebody
-- else's to make.
create or replace function public.record_hq_decision(
  p_decision_id bigint,
  p_decided_by text,
  p_reasoning text,
  p_run_types text[] default '{}',
  p_next_check_in_minutes integer default 60,
  p_refused text[] default '{}',
  p_usage jsonb default '{}'
)
returns table (
  recorded boolean,
  jobs_to_run text[],
  run_ids uuid[],
  skipped text[],
  reasoning text,
  next_check_in_minutes integer
)
language plpgsql
volatile
security definer
set search_path = ''
-- The model has been paid: worth a longer wait, of one caller.
set lock_timeout = '3s'
as $$
#variable_conflict use_column
declare
  v_wanted text;
  v_refusal record;
  v_run record;
  v_jobs text[] := '{}';
  v_run_ids uuid[] := '{}';
  v_refused text[] := (coalesce(p_refused, '{}'))[:50];
begin
  perform pg_advisory_xact_lock(hashtextextended('hq.autopilot_decisions', 0));
  perform hq.bill_decision(p_decision_id, p_usage);

  if exists (select from hq.autopilot_decisions as d where d.id = p_decision_id and d.state = 'deciding') then
    for v_wanted in
      select w.key from unnest(p_run_types) with ordinality as w (key, place)
      group by w.key order by min(w.place) limit 50
    loop
      select r.* into v_refusal from hq.refuse_addition(v_wanted) as r;
      if v_refusal.code is null then
        begin
          select a.* into v_run from hq.accept_request(
            'service', 'autopilot', v_wanted, null,
            jsonb_build_object('triggered_by', 'autopilot', 'decision', p_decision_id),
            'autopilot', format('decision:%s:%s', p_decision_id, v_wanted), -10, false
          ) as a;
          if v_run.created then
            v_jobs := v_jobs || v_wanted;
            v_run_ids := v_run_ids || v_run.run_id;
          else
            -- Somebody else's request came between the look and the launch: the run is theirs.
            select 'already_running' as code, 'déjà en cours' as reason, 0 as running_minutes into v_refusal;
          end if;
        exception when sqlstate 'HQ008' then
          select 'held' as code, 'file tenue par une autre session' as reason, null::integer as running_minutes
          into v_refusal;
        end;
      end if;
      if v_refusal.code is not null then
        v_refused := v_refused || format('%s : %s', left(v_wanted, 80), v_refusal.reason);
        if v_refusal.code = 'already_running' then
          perform hq.write_log('warn', 'autopilot', 'autopilot.skip_duplicate', jsonb_build_object(
            'job_key', coalesce((select min(j.key) from hq.scheduled_jobs as j where j.run_type = v_wanted), v_wanted),
            'run_type', v_wanted,
            'reason', 'already_running',
            'running_minutes', v_refusal.running_minutes,
            'decision', p_decision_id
          ), null);
        end if;
      end if;
    end loop;
    perform hq.close_decision(
      p_decision_id, p_decided_by, p_reasoning, v_jobs, v_run_ids, v_refused, p_next_check_in_minutes
    );
  end if;

  return query
    select d.state = 'decided', d.jobs_to_run, d.run_ids, d.skipped, d.reasoning, d.next_check_in_minutes
    from hq.autopilot_decisions as d
    where d.id = p_decision_id;
exception when lock_not_available then
  perform hq.refuse_held();
end
$$;
revoke execute on function public.record_hq_decision from public, anon, authenticated;
grant execute on function public.record_hq_decision to service_role;
comment on function public.record_hq_decision is 'Termine une décision de l''autopilote : '
  'lance ce que les règles permettent et l''écrit au journal.';
