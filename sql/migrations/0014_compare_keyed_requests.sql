-- Why: an idempotency key that came back with another request was answered with the first one's report. What a key was
--      used for is not always what its run was asked: the request may have joined a run of other words. So the key
--      keeps its own digest; keys of earlier releases have none, and are compared with their run.
-- phase: expand
-- Locks: access exclusive on hq.request_keys (ours), for a moment: the column has no default, no row is rewritten.
-- Undo: drop the column when the hq.accept_request of the release before is back.
set local lock_timeout = '5s';

alter table hq.request_keys add column if not exists asked bytea;
comment on column hq.request_keys.asked is 'Empreinte (SHA-256) de ce qui a été demandé avec cette clé : '
  'type, plateforme, contexte. La même clé pour autre chose est refusée.';
