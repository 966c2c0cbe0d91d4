-- Why: a worker that Realtime refuses (private channels only, a key that is no longer one) polls for ever, and nobody
--      could read why: the heartbeat now holds the reason, and hq.health says what to do.
-- phase: expand
-- Locks: access exclusive on hq.worker_heartbeats (ours), for a moment: no default, no row is rewritten.
-- Undo: drop the columns; nothing of the host refers to them.
set local lock_timeout = '5s';

alter table hq.worker_heartbeats
  add column if not exists realtime_fault text,
  add column if not exists realtime_reason text;
comment on column hq.worker_heartbeats.realtime_fault is 'Pourquoi l''ouvrier n''écoute pas en direct : '
  'le code de Realtime (PrivateOnly, …) ou un mot de l''ouvrier ; vide quand il écoute.';
comment on column hq.worker_heartbeats.realtime_reason is 'La phrase entière de cette raison, sans secret.';
