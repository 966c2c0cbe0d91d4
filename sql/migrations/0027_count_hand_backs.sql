-- Why: a run whose type the workers of an earlier release do not know goes back to the queue for a newer worker, but
--      not for ever. Counted, because hours say nothing: a pause may hold a run for longer than a roll-out takes.
-- phase: expand
-- Locks: access exclusive on hq.run_requests (ours), for a moment: the default is a constant, no row is rewritten.
-- Undo: alter table hq.run_requests drop column hand_backs;
set local lock_timeout = '5s';

alter table hq.run_requests add column if not exists hand_backs integer not null default 0;
comment on column hq.run_requests.hand_backs is
  'Combien de fois un ouvrier d''une version plus ancienne, qui n''en connaît pas le type, l''a rendue à la file.';
