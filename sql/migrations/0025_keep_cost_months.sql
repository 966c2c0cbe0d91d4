-- Why: hq.costs_by_platform adds up every bill there ever was; after three years that takes over a second. The sums of
--      months that are over are kept, and whoever changes a bill of such a month afterwards leaves a note of it.
-- phase: expand
-- Locks: share row exclusive on hq.run_costs (ours) for a moment, while the triggers are created.
-- Undo: drop the triggers, then the tables; the view adds up again.
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
  'absent, ou noté dans hq.cost_month_changes, est recalculé à la lecture, puis gardé à nouveau.';
comment on column hq.cost_months.platform_key is 'Vide : les rapports qui ne visent aucune plateforme.';
alter table hq.cost_months enable row level security;
revoke all on hq.cost_months from public, anon, authenticated, service_role;

-- One row for each month and transaction: a note never waits for somebody else's, nor for who keeps the sums.
create table if not exists hq.cost_month_changes (
  month       date not null,
  transaction xid8 not null default pg_current_xact_id(),
  primary key (month, transaction)
);
comment on table hq.cost_month_changes is
  'Mois dont une facture a changé après coup : leurs sommes gardées ne comptent plus, jusqu''au recalcul.';
alter table hq.cost_month_changes enable row level security;
revoke all on hq.cost_month_changes from public, anon, authenticated, service_role;

-- Here and not in sql/rpc alone, because the triggers name it.
create or replace function hq.note_cost_change()
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
revoke execute on function hq.note_cost_change from public, anon, authenticated;
comment on function hq.note_cost_change is 'Note les mois dont une facture a changé après coup.';

-- The clock's hour, not the transaction's: what a long transaction writes is late as well. A month's sums are kept
-- two days after its end, so what is younger than an hour is in none of them.
create or replace trigger note_cost_of_late after insert on hq.run_costs
for each row when (new.created_at < clock_timestamp() - interval '1 hour') execute function hq.note_cost_change();
create or replace trigger note_cost_changed after update on hq.run_costs
for each row when (least(old.created_at, new.created_at) < clock_timestamp() - interval '1 hour')
execute function hq.note_cost_change();
create or replace trigger note_cost_deleted after delete on hq.run_costs
for each row when (old.created_at < clock_timestamp() - interval '1 hour') execute function hq.note_cost_change();
