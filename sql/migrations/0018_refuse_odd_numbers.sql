-- Why: a NaN that somebody writes into an amount by hand makes every sum that it is part of NaN, and an attempt or a
--      lease at the end of its type's range makes every claim of every worker fail. No reader can do anything
--      sensible with them, so the tables refuse them; those that are there become 0.
-- phase: expand
-- Locks: access exclusive on tables of ours, for a moment: rows that are there are not checked again. Before it, one
--        reading of hq.run_costs.
-- Undo: drop the constraints.
set local lock_timeout = '5s';

update hq.run_costs set cost_eur = 0 where cost_eur = 'NaN';
update hq.run_costs set search_cost_eur = 0 where search_cost_eur = 'NaN';
update hq.run_types set cost_eur = 0 where cost_eur = 'NaN';
update hq.autopilot_decisions set cost_eur = 0 where cost_eur = 'NaN';
delete from hq.finance_snapshots where mrr = 'NaN' or churn_rate = 'NaN';
update hq.run_queue set attempt = 0 where attempt >= 1000000;
update hq.run_queue set lease_token = 0 where lease_token not between 0 and 1000000000000;

-- squawk-ignore ban-drop-constraint
alter table hq.run_costs drop constraint if exists run_costs_amounts,
  add constraint run_costs_amounts check (cost_eur < 'NaN' and search_cost_eur < 'NaN') not valid;
-- squawk-ignore ban-drop-constraint
alter table hq.run_types drop constraint if exists run_types_amounts,
  add constraint run_types_amounts check (cost_eur < 'NaN') not valid;
-- squawk-ignore ban-drop-constraint
alter table hq.autopilot_decisions drop constraint if exists autopilot_decisions_amounts,
  add constraint autopilot_decisions_amounts check (cost_eur < 'NaN') not valid;
-- squawk-ignore ban-drop-constraint
alter table hq.finance_snapshots drop constraint if exists finance_snapshots_amounts,
  add constraint finance_snapshots_amounts check (mrr < 'NaN' and churn_rate < 'NaN') not valid;
-- squawk-ignore ban-drop-constraint
alter table hq.run_queue drop constraint if exists run_queue_numbers,
  add constraint run_queue_numbers check (attempt < 1000000 and lease_token between 0 and 1000000000000) not valid;
