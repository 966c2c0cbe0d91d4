-- Why: hq.costs_by_platform adds up every bill there ever was; after three years that takes over a second. The sums of
--      months that are over are kept, and what changes a bill of such a month afterwards forgets that month's sums.
-- phase: expand
-- Locks: share row exclusive on hq.run_costs (ours) for a moment, while the triggers are created.
-- Undo: drop the triggers, then the table; the view adds up again.
set local lock_timeout = '5s';

create table if not exists hq.cost_months (
  month         date not null,
  platform_key  text not null default '',
  runs          bigint not null,
  attempts      bigint not null,
  cost_eur      numeric not null,
  estimated_eur numeric not null,
  primary key (month, platform_key)
);
comment on table hq.cost_months is
  'Sommes de hq.run_costs par mois terminé (heure de Paris) et par plateforme. Rien à corriger à la main : un mois '
  'absent est recalculé à la lecture, puis gardé à nouveau.';
comment on column hq.cost_months.platform_key is 'Vide : les rapports qui ne visent aucune plateforme.';
alter table hq.cost_months enable row level security;
revoke all on hq.cost_months from public, anon, authenticated, service_role;

-- Here and not in sql/rpc alone, because the triggers name it.
create or replace function hq.forget_cost_month()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return null;
end
$$;
revoke execute on function hq.forget_cost_month from public, anon, authenticated;
comment on function hq.forget_cost_month is 'Oublie les sommes d''un mois dont une facture a changé.';

-- A month is over two days before its sums are kept: what is younger than a day is in none of them.
create or replace trigger forget_cost_month_of_new after insert on hq.run_costs
for each row when (new.created_at < now() - interval '1 day') execute function hq.forget_cost_month();
create or replace trigger forget_cost_month_of_old after update or delete on hq.run_costs
for each row when (old.created_at < now() - interval '1 day') execute function hq.forget_cost_month();
create or replace trigger forget_cost_months after truncate on hq.run_costs
for each statement execute function hq.forget_cost_month();
