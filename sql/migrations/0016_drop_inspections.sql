-- Why: the private inspections return the code of each check beside its name, and PostgreSQL changes no return type in
--      place. The files of sql/rpc make them again in the transaction that follows. Nobody else depends on them: they
--      are called by inspect_hq_backend, and by operators.
-- phase: expand
-- Locks: nothing that anybody waits for. Until that transaction `emocare doctor` and hq.health fail, nothing else.
-- Undo: drop the three again, then write the functions and views of the release before.
set local lock_timeout = '5s';

-- squawk-ignore ban-drop-function
drop function if exists hq.inspect_host();
-- squawk-ignore ban-drop-function
drop function if exists hq.inspect_plan();
-- squawk-ignore ban-drop-function
drop function if exists hq.inspect_cron_jobs();
