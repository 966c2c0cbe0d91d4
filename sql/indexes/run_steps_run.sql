-- Every claim, checkpoint, settlement and timeline asks for the steps of one run.
create index concurrently if not exists run_steps_run on hq.run_steps (run_id);
