-- Every failure, cancellation and retry asks for the dead letter of its run. Only where the host has the table.
create index concurrently if not exists runs_dlq_run on hq.runs_dlq (original_run_id);
