-- Why: a pending row that was there before any worker existed is a request nobody waits for any more.
--      Launching it now would spend money on a surprise, so it is cancelled, once, with a sentence.
-- phase: expand
-- Locks: the rows it changes.
-- Undo: none needed; set a row back to pending and a worker runs it.
set local lock_timeout = '5s';

update hq.runs
set
  status = 'cancelled',
  completed_at = now(),
  executive_summary = 'Demande antérieure à l''installation des ouvriers, annulée sans être exécutée. Relancez-la si elle est encore utile.'
where status = 'pending';
