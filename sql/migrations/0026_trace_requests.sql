-- Why: a run may be executed by another worker than the one that was asked, or by a second one when the first is
--      killed; all of them continue the trace in which it was requested, so the request keeps where it stood in it.
-- phase: expand
-- Locks: access exclusive on hq.run_requests (ours), for a moment: the column has no default, no row is rewritten.
-- Undo: alter table hq.run_requests drop column traceparent;
set local lock_timeout = '5s';

alter table hq.run_requests add column if not exists traceparent text;
comment on column hq.run_requests.traceparent is
  'Où la demande se situait dans sa trace (W3C Trace Context), si elle était tracée.';
