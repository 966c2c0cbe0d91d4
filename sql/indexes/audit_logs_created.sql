-- The audit is read by date, the newest entries first.
create index concurrently if not exists audit_logs_created on hq.audit_logs (created_at desc);
