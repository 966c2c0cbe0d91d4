-- Why: a report says how available each platform was, and measuring it again for every run from the checks of thirty
--      days costs tens of milliseconds. It is measured whenever a check is recorded: from now on the result is kept.
-- phase: expand
-- Locks: none on existing tables beyond the foreign key's brief share row exclusive on hq.platforms.
-- Undo: drop the table; nothing refers to it.
set local lock_timeout = '5s';

create table if not exists hq.platform_uptimes (
  platform_key   text primary key references hq.platforms (key) on update cascade on delete cascade,
  uptime_percent numeric(5, 2) check (uptime_percent between 0 and 100),
  checks         integer not null,
  outage_minutes integer not null,
  checked_since  timestamptz not null,
  checked_at     timestamptz not null
);
comment on table hq.platform_uptimes is
  'Disponibilité mesurée de chaque plateforme sur 30 jours, à son dernier contrôle ; vide avant un jour de contrôles.';

alter table hq.platform_uptimes enable row level security;
revoke all on hq.platform_uptimes from public, anon, authenticated, service_role;
