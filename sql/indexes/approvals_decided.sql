-- Reports say what the presidency decided in the last thirty days.
create index concurrently if not exists approvals_decided on hq.approvals (decided_at);
