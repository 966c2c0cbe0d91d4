-- Lists and histories ask for the newest runs of all types and ends.
create index concurrently if not exists runs_created on hq.runs (created_at desc);
