-- Give a periodic piece of work to the first worker that asks once it is due; return whether it was given.
-- Locks the row of the work for the moment of the answer. Not idempotent: after a lost answer the work is skipped once.
-- Raises 55P03 when another session holds the row: call again.
create or replace function public.take_hq_turn(p_name text, p_worker_id text, p_every_seconds numeric)
returns boolean
language sql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
  with taken as (
    insert into hq.turns as t (name, worker_id, taken_at, due_at)
    -- The clock is read once, so that two moments of one turn are exactly its period apart.
    select p_name, p_worker_id, n.moment, n.moment + make_interval(secs => p_every_seconds::double precision)
    from (select clock_timestamp() as moment) as n
    on conflict (name) do update
    set worker_id = excluded.worker_id, taken_at = excluded.taken_at, due_at = excluded.due_at
    -- Taken in what is now the future: the clock was put back, and the work would wait until it comes again.
    where t.due_at <= excluded.taken_at or t.taken_at > excluded.taken_at + interval '1 minute'
    returning 1
  )
  select exists (select from taken)
$$;
revoke execute on function public.take_hq_turn from public, anon, authenticated;
grant execute on function public.take_hq_turn to service_role;
comment on function public.take_hq_turn is 'Attribue un travail périodique au premier ouvrier '
  'qui le demande une fois dû.';
