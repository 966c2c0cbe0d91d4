-- The doctor looks for dates that no reader can hold.
create index concurrently if not exists actions_created on hq.actions (created_at);
