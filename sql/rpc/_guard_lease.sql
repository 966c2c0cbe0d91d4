-- Lock a run for the worker that holds this lease token, and return whether it still does.
-- Locks the queue row, then the run. False: the lease was given away, handed back, or somebody ended the run.
-- Raises nothing.
create or replace function hq.guard_lease(p_run_id uuid, p_lease_token bigint)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform from hq.run_queue as q
  where q.run_id = p_run_id and q.lease_token = p_lease_token
    -- So written that the index of what is leased does not offer itself: while an old transaction is open it leads to
    -- all that was ever leased.
    and (q.worker_id is null) is false
  for update;
  if not found then
    return false;
  end if;
  -- Nor the index of the status: every run was running once.
  perform from hq.runs as r where r.id = p_run_id and (r.status = 'running') is true for no key update;
  return found;
end
$$;
revoke execute on function hq.guard_lease from public, anon, authenticated;
comment on function hq.guard_lease is 'Vérifie et verrouille le bail d''un ouvrier (jeton de garde).';
