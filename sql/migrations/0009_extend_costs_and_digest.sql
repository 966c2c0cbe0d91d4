-- Why: what a search of the web cost is told apart from the model's cost; the registry says which report is the digest.
-- phase: expand
-- Locks: brief, on hq.run_costs and hq.run_types (ours).
-- Undo: drop the two columns; nothing of the host refers to them.
set local lock_timeout = '5s';

alter table hq.run_costs
  add column if not exists search_cost_eur numeric(12, 6) not null default 0;
comment on column hq.run_costs.search_cost_eur is 'Part de cost_eur due aux recherches web.';

alter table hq.run_types add column if not exists fills_digest boolean not null default false;
comment on column hq.run_types.fills_digest is 'Its report on the whole company is the digest of the day, where the host has the table.';
