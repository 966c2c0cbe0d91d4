-- Note the months of a bill that was written, changed or deleted late: their kept sums count no more.
-- Under any isolation, and without a lock that others wait for: one row for each month and transaction.
-- Raises nothing of its own.
create or replace function hq.note_cost_change()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if tg_op <> 'INSERT' then
    insert into hq.cost_month_changes (month)
    values (date_trunc('month', old.created_at at time zone hq.paris_zone())::date)
    on conflict (month, transaction) do nothing;
  end if;
  if tg_op <> 'DELETE' then
    insert into hq.cost_month_changes (month)
    values (date_trunc('month', new.created_at at time zone hq.paris_zone())::date)
    on conflict (month, transaction) do nothing;
  end if;
  return null;
end
$$;
revoke execute on function hq.note_cost_change from public, anon, authenticated;
comment on function hq.note_cost_change is 'Note les mois dont une facture a changé après coup.';
