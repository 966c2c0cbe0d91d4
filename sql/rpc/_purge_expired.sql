-- Delete what is older than the retention, in batches that each commit, level by level along the index (level,
-- created_at); called by pg_cron. A day is 24 hours here, so no change to summer time moves the limit.
-- A plain procedure on purge: with SET, SECURITY DEFINER or an exception block it could not commit. For that reason
-- every name is qualified, and nobody but its owner may call it.
-- Locks one batch of rows at a time. Stops after 50 s, since the job comes back in ten minutes, and goes on where it
-- stood: what is deleted stays deleted. Two at once: the second gives way.
-- Raises 55P03 when another session holds one of the logs.
create or replace procedure hq.purge_expired()
language plpgsql
as $$
#variable_conflict use_column
declare
  v_batch constant integer := 2000;
  v_stop_at constant timestamptz := clock_timestamp() + interval '50 seconds';
  v_days constant integer := hq.read_log_retention();
  v_before constant timestamptz := now() - make_interval(hours => 24 * v_days);
  v_level text := '';
  v_from timestamptz;
  v_deleted integer;
  v_logs bigint := 0;
  v_rest bigint;
  v_done boolean := v_days is not null;
begin
  <<levels>>
  while v_done loop
    v_level := (select l.level from hq.structured_logs as l where l.level > v_level order by l.level limit 1);
    exit when v_level is null;
    v_from := '-infinity';
    loop
      select b.deleted, b.reached into v_deleted, v_from from hq.purge_logs(v_level, v_from, v_before, v_batch) as b;
      commit;
      v_logs := v_logs + coalesce(v_deleted, 0);
      exit when v_deleted < v_batch;
      v_done := v_deleted is not null and clock_timestamp() < v_stop_at;
      exit levels when not v_done;
    end loop;
  end loop;
  v_rest := hq.purge_rest(v_batch);
  perform hq.end_purge(v_days, v_logs, v_rest, v_done);
end
$$;
revoke execute on procedure hq.purge_expired from public, anon, authenticated;
comment on procedure hq.purge_expired is 'Supprime par lots ce qui a dépassé sa durée de conservation '
  '(tâche pg_cron purge-old-hq-logs).';
