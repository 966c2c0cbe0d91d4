-- End several attempts in one transaction: [{run_id, lease_token, outcome, summary, appendix, steps, evidence,
-- usage, retry_in_seconds}]. What one settlement raises undoes that one alone and comes back as its error_code.
-- Locks each run in turn, in the order of their ids. Idempotent, as settle_hq_run.
-- Raises nothing. Answers per run what settle_hq_run answers, or a SQLSTATE and a message.
create or replace function public.settle_hq_runs(p_settlements jsonb)
returns table (run_id uuid, lease_token bigint, status text, error_code text, error_message text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_item record;
  v_waited boolean := false;
begin
  for v_item in
    select s.*
    from jsonb_to_recordset(p_settlements) as s (
      run_id uuid, lease_token bigint, outcome text, summary text, appendix jsonb, steps jsonb, evidence jsonb,
      usage jsonb, retry_in_seconds numeric
    )
    order by s.run_id, s.lease_token
  loop
    run_id := v_item.run_id;
    lease_token := v_item.lease_token;
    status := null;
    error_code := null;
    error_message := null;
    begin
      if v_waited then
        -- One wait is enough for all that somebody holds.
        perform from hq.run_queue as q where q.run_id = v_item.run_id for update nowait;
        perform from hq.runs as r where r.id = v_item.run_id for no key update nowait;
        perform from hq.run_requests as o where o.run_id = v_item.run_id for no key update nowait;
      end if;
      status := public.settle_hq_run(
        v_item.run_id, v_item.lease_token, v_item.outcome, v_item.summary, v_item.appendix, v_item.steps,
        v_item.evidence, v_item.usage, v_item.retry_in_seconds
      );
    exception when others then
      v_waited := v_waited or sqlstate = '55P03';
      error_code := sqlstate;
      error_message := sqlerrm;
    end;
    return next;
  end loop;
end
$$;
revoke execute on function public.settle_hq_runs from public, anon, authenticated;
grant execute on function public.settle_hq_runs to service_role;
comment on function public.settle_hq_runs is 'Termine plusieurs tentatives d''un coup, chacune pour elle-même.';
