-- Why: what the open pages must be told (a run failed for good, a decision waits, the budget) must not be lost between
-- the transaction that made it true and the worker that says it.
-- phase: expand
-- Locks: none on existing tables.
-- Undo: drop the table; nothing of the host refers to it.
set local lock_timeout = '5s';

create table if not exists hq.announcements (
  key         text primary key,
  event       text not null,
  payload     jsonb not null,
  created_at  timestamptz not null default now(),
  taken_until timestamptz,
  sent_at     timestamptz
);
create index if not exists announcements_waiting on hq.announcements (created_at) where sent_at is null;
comment on table hq.announcements is 'Annonces à diffuser aux écrans ouverts : des constantes seulement, une seule fois par clé. Écrites par hq.announce, diffusées par les ouvriers.';
comment on column hq.announcements.key is 'Ce qui rend l''annonce unique, par exemple run_failed:<exécution>:<bail>.';

alter table hq.announcements enable row level security;
revoke all on hq.announcements from public, anon, authenticated, service_role;
