-- The viewer's unfiltered list asks for the newest logs of all levels and sources.
create index concurrently if not exists structured_logs_created on hq.structured_logs (created_at desc);
