-- Keep the sums of months that have been over for two days; twelve months at most with each call.
-- Idempotent; of several at once one does it, the others return. Part of the caller's transaction.
-- Raises nothing. Answers how many months were added up.
create or replace function hq.keep_cost_months()
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_month date;
  v_kept integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('hq.cost_months', 0)) then
    return 0;
  end if;
  for v_month in
    select m.month
    from hq.list_cost_months() as m
    where not m.is_kept
      and m.month + interval '1 month' <= (clock_timestamp() - interval '2 days') at time zone hq.paris_zone()
    order by m.month
    limit 12
  loop
    -- First the notes, then the sums: a change that commits between the two is in the sums, and its note stays.
    delete from hq.cost_month_changes as n where n.month = v_month;
    delete from hq.cost_months as k where k.month = v_month;
    insert into hq.cost_months (month, platform_key, runs, attempts, cost_eur, estimated_eur)
    select v_month, s.platform_key, s.runs, s.attempts, s.cost_eur, s.estimated_eur
    from hq.sum_month_costs(v_month) as s;
    v_kept := v_kept + 1;
  end loop;
  return v_kept;
end
$$;
revoke execute on function hq.keep_cost_months from public, anon, authenticated;
comment on function hq.keep_cost_months is 'Garde les sommes des mois terminés.';
