-- Repair what died or was changed by hand: leases that ran out, pending runs without a queue row, queue
-- rows without an unfinished run, runs that older code left running. A bounded part of each kind with every call, the
-- leases first: whatever was changed at once, a call ends within seconds and the next one goes on.
-- One caller at a time, the others return at once; skips what is locked, and waits half a second for who holds the turn
-- of the budget. Idempotent.
-- Raises nothing. Answers how many runs were put back, failed for good, adopted, and dropped from the queue.
create or replace function public.rescue_hq_runs()
returns table (requeued integer, failed integer, adopted integer, dropped integer)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  requeued := 0;
  failed := 0;
  adopted := 0;
  dropped := 0;
  if not pg_try_advisory_xact_lock(hashtextextended('hq.rescue', 0)) then
    return next;
    return;
  end if;

  select q.requeued, q.failed, q.dropped into requeued, failed, dropped from hq.rescue_queue() as q;
  adopted := hq.adopt_runs();
  failed := failed + hq.close_stuck_runs();
  -- Adds up the month, which is too much for every sweep of every worker; within a minute is soon enough.
  begin
    if public.take_hq_turn('budget', 'rescue', 30) then
      perform hq.warn_of_budget();
    end if;
  exception when lock_not_available then
    null;  -- somebody holds the turn in the SQL editor
  end;
  return next;
end
$$;
revoke execute on function public.rescue_hq_runs from public, anon, authenticated;
grant execute on function public.rescue_hq_runs to service_role;
comment on function public.rescue_hq_runs is
  'Reprend les exécutions dont l''ouvrier a disparu et adopte celles remises à pending à la main.';
