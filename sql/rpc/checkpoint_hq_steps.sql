-- Keep several steps in one transaction: [{run_id, lease_token, step, usage}]. What one of them raises undoes that one
-- alone and comes back as its error_code.
-- Locks each run in turn, in the order of their ids. Idempotent, as checkpoint_hq_step.
-- Raises nothing. Answers per step whether it was kept (false: the lease is lost), or a SQLSTATE and a message.
create or replace function public.checkpoint_hq_steps(p_checkpoints jsonb)
returns table (run_id uuid, lease_token bigint, kept boolean, error_code text, error_message text)
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
    select c.*
    from jsonb_to_recordset(p_checkpoints) as c (run_id uuid, lease_token bigint, step jsonb, usage jsonb)
    order by c.run_id, c.lease_token
  loop
    run_id := v_item.run_id;
    lease_token := v_item.lease_token;
    kept := null;
    error_code := null;
    error_message := null;
    begin
      if v_waited then
        -- One wait is enough for all that somebody holds.
        perform from hq.run_queue as q where q.run_id = v_item.run_id for update nowait;
        perform from hq.runs as r where r.id = v_item.run_id for no key update nowait;
      end if;
      kept := public.checkpoint_hq_step(v_item.run_id, v_item.lease_token, v_item.step, v_item.usage);
    exception when others then
      v_waited := v_waited or sqlstate = '55P03';
      error_code := sqlstate;
      error_message := sqlerrm;
    end;
    return next;
  end loop;
end
$$;
revoke execute on function public.checkpoint_hq_steps from public, anon, authenticated;
grant execute on function public.checkpoint_hq_steps to service_role;
comment on function public.checkpoint_hq_steps is 'Enregistre plusieurs étapes terminées d''un coup, '
  'chacune pour elle-même.';
