-- What waits for the presidency is counted by every page: of all that it ever decided, few actions are pending.
create index concurrently if not exists actions_status on hq.actions (status, created_at);
