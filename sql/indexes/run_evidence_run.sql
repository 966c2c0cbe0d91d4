-- A run's evidence is asked for by that run, and looked for when a run is deleted.
create index concurrently if not exists run_evidence_run on hq.run_evidence (run_id);
