-- Give a periodic piece of work to the first worker that asks once it is due; return whether it was given.
-- Locks the row of the work for the moment of the answer; while it is not due, asking writes nothing and waits for
-- nobody. Not idempotent: after a lost answer the work is skipped once.
-- Raises 55P03 when another session holds the row of work that is due: call again.
create or replace function public.take_hq_turn(p_name text, p_worker_id text, p_every_seconds numeric)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  -- Read once, so that two moments of one turn are exactly its period apart.
  v_now constant timestamptz := clock_timestamp();
begin
  if exists (
    select from hq.turns as t
    where t.name = p_name and t.due_at > v_now
      -- Taken in what is now the future: the clock was put back, and the work would wait until it comes again.
      and t.taken_at <= v_now + interval '1 minute'
  ) then
    return false;
  end if;
  insert into hq.turns as t (name, worker_id, taken_at, due_at)
  values (p_name, p_worker_id, v_now, v_now + make_interval(secs => p_every_seconds::double precision))
  on conflict (name) do update
  set worker_id = excluded.worker_id, taken_at = excluded.taken_at, due_at = excluded.due_at
  -- Another one may have taken it between the look and the lock.
  where t.due_at <= excluded.taken_at or t.taken_at > excluded.taken_at + interval '1 minute';
  return found;
end
$$;
revoke execute on function public.take_hq_turn from public, anon, authenticated;
grant execute on function public.take_hq_turn to service_role;
comment on function public.take_hq_turn is 'Attribue un travail périodique au premier ouvrier '
  'qui le demande une fois dû.';
