-- Put a run back in the queue, its attempt not counted, when a worker of an earlier release gives it up because its
-- run type is newer than that worker; a worker that knows the type takes it. Each time it waits longer, up to five
-- minutes; after the sixteenth, an hour of waiting in all, it may fail.
-- The caller holds the queue row, then the run. Part of the caller's transaction. Answers whether it was put back.
-- Raises nothing.
create or replace function hq.hand_back_unknown(p_run_id uuid, p_lease_token bigint, p_error_code text)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_hand_backs integer;
begin
  if p_error_code is distinct from 'unknown_run_type' then
    return false;
  end if;
  update hq.run_requests as o
  set hand_backs = o.hand_backs + 1, settled_token = p_lease_token
  where o.run_id = p_run_id and o.hand_backs < 16 and exists (
    select from hq.run_queue as q
    join hq.run_types as t on t.key = q.run_type
    where q.run_id = p_run_id
  )
  returning o.hand_backs into v_hand_backs;
  if not found then
    return false;
  end if;
  perform hq.requeue_run(p_run_id, now() + least(interval '15 s' * 2 ^ (v_hand_backs - 1), interval '5 min'), false);
  perform hq.log_run('info', 'run.released', p_run_id, jsonb_build_object(
    'lease_token', p_lease_token, 'error_code', p_error_code
  ));
  return true;
end
$$;
revoke execute on function hq.hand_back_unknown from public, anon, authenticated;
comment on function hq.hand_back_unknown is
  'Remet dans la file une exécution qu''un ouvrier d''une version plus ancienne ne connaît pas.';
