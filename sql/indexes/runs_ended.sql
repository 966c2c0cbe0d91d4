-- The latest finished run of a type is asked for by the plan and its screen, and whether one succeeded since.
create index concurrently if not exists runs_ended on hq.runs (run_type, completed_at) where completed_at is not null;
