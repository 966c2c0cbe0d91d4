-- Why: a run that an operator asks for again must be known as the new try of the one that failed, so that the entry
--      among the dead letters can be marked from what really became of it.
-- phase: expand
-- Locks: access exclusive on hq.run_requests (ours), for a moment: the column has no default, no row is rewritten.
-- Undo: drop the column; nothing of the host refers to it.
set local lock_timeout = '5s';

alter table hq.run_requests add column if not exists retry_of uuid;
comment on column hq.run_requests.retry_of is 'Exécution dont celle-ci est un nouvel essai (hq.retry_run), ou elle-même quand elle a été remise à pending à la main.';
