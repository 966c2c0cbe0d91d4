-- Why: figures that change need a yesterday, and an uptime needs checks: both are kept day by day, check by check.
--      A turn says which of several workers does what only one of them is to do.
-- phase: expand
-- Locks: none on existing tables beyond the foreign keys' brief share row exclusive on hq.platforms and hq.incidents.
-- Undo: drop the tables below; nothing of the host refers to them.
set local lock_timeout = '5s';

create table if not exists hq.turns (
  name      text primary key,
  worker_id text not null,
  taken_at  timestamptz not null,
  due_at    timestamptz not null
);
comment on table hq.turns is 'Tours de rôle : quel ouvrier a fait en dernier un travail périodique, et quand il sera de nouveau dû.';

create table if not exists hq.finance_snapshots (
  day                  date primary key,
  taken_at             timestamptz not null,
  measured             boolean not null,
  currency             text not null,
  mrr                  numeric(16, 2) not null,
  active_subscriptions integer not null,
  churn_rate           numeric(6, 2) not null,
  figures              jsonb
);
comment on table hq.finance_snapshots is 'Chiffres Stripe par jour de Paris. measured : relevé ce jour-là (dernier relevé du jour) ; sinon reconstitué après coup à partir des dates des abonnements, aux prix d''aujourd''hui.';

create table if not exists hq.platform_checks (
  id           bigint generated always as identity primary key,
  platform_key text not null references hq.platforms (key) on update cascade on delete cascade,
  checked_at   timestamptz not null default now(),
  status       text not null check (status in ('green', 'amber', 'red')),
  status_code  integer,
  response_ms  integer,
  reason       text
);
create index if not exists platform_checks_platform on hq.platform_checks (platform_key, checked_at desc) include (status);
create index if not exists platform_checks_age on hq.platform_checks (checked_at);
comment on table hq.platform_checks is 'Contrôles de disponibilité des sites, gardés 30 jours ; hq.platforms (status, status_reason, uptime_percent) en découle.';

create table if not exists hq.platform_outages (
  platform_key text primary key references hq.platforms (key) on update cascade on delete cascade,
  incident_id  uuid not null references hq.incidents (id) on delete cascade,
  began_at     timestamptz not null
);
comment on table hq.platform_outages is 'Pannes en cours : l''incident ouvert pour chacune, afin de le clore au retour du site.';

alter table hq.turns enable row level security;
alter table hq.finance_snapshots enable row level security;
alter table hq.platform_checks enable row level security;
alter table hq.platform_outages enable row level security;
revoke all on hq.turns, hq.finance_snapshots, hq.platform_checks, hq.platform_outages
  from public, anon, authenticated, service_role;
revoke all on sequence hq.platform_checks_id_seq from public, anon, authenticated, service_role;
