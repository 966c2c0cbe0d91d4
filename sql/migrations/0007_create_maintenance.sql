-- Why: whoever purges must know when the last purge came to its end, and a refused setting must be told once a day, not
--      every ten minutes. And what is purged every day must be vacuumed long before a fifth of the table is dead.
-- phase: expand
-- Locks: share update exclusive on hq.structured_logs, for a moment: it blocks neither reading nor writing.
-- Undo: drop the table; alter table hq.structured_logs reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold).
set local lock_timeout = '5s';

create table if not exists hq.maintenance (
  task    text primary key,
  done_at timestamptz not null default now(),
  told_at timestamptz
);
alter table hq.maintenance enable row level security;
revoke all on hq.maintenance from public, anon, authenticated, service_role;
comment on table hq.maintenance is 'Entretien : dernière fin de chaque tâche (done_at), dernier avertissement écrit (told_at).';

-- From now on: a worker steps in when pg_cron has not purged for a day and two hours.
insert into hq.maintenance (task) values ('purge') on conflict (task) do nothing;

alter table hq.structured_logs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
