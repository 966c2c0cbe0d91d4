-- Forget the sums of the month whose bill was written, changed or deleted late, and of all months when there are no
-- bills any more. The next read adds up again.
-- Waits for who keeps sums at that moment (hq.keep_cost_months), within the caller's lock_timeout.
-- Raises nothing of its own.
create or replace function hq.forget_cost_month()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(hashtextextended('hq.cost_months', 0));
  if tg_op = 'TRUNCATE' then
    delete from hq.cost_months;
    return null;
  end if;
  if tg_op <> 'INSERT' then
    delete from hq.cost_months as m
    where m.month = date_trunc('month', old.created_at at time zone hq.paris_zone())::date;
  end if;
  if tg_op <> 'DELETE' then
    delete from hq.cost_months as m
    where m.month = date_trunc('month', new.created_at at time zone hq.paris_zone())::date;
  end if;
  return null;
end
$$;
revoke execute on function hq.forget_cost_month from public, anon, authenticated;
comment on function hq.forget_cost_month is 'Oublie les sommes d''un mois dont une facture a changé.';
