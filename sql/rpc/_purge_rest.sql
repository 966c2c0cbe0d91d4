-- Delete one batch of everything else that expires: what pg_cron keeps of its jobs after 7 days, platform checks after
-- 30, announcements and their deliveries after 90, the traces of workers after one, facts of reports 400 days after
-- they were last seen. Answers how many rows went.
-- Locks the rows it deletes, skips locked ones. Idempotent. A table that this database lacks, or does not let us purge,
-- is passed over.
-- Raises nothing.
create or replace function hq.purge_rest(p_limit integer)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_kind record;
  v_deleted integer;
  v_all integer := 0;
begin
  for v_kind in
    select to_regclass(k.name) as name, a.attname as moment, now() - k.kept as before
    from (
      values
        ('hq.platform_checks', array['checked_at', 'created_at'], interval '30 days'),
        ('hq.announcements', array['created_at'], interval '90 days'),
        ('hq.deliveries', array['created_at'], interval '90 days'),
        ('hq.delivery_targets', array['seen_at'], interval '90 days'),
        ('hq.worker_heartbeats', array['seen_at'], interval '1 day')
    ) as k (name, moments, kept)
    cross join lateral (
      select t.attname
      from pg_catalog.pg_attribute as t
      where t.attrelid = to_regclass(k.name) and t.attname = any (k.moments) and not t.attisdropped
      order by array_position(k.moments, t.attname::text)
      limit 1
    ) as a
  loop
    execute format(
      -- Asked twice: the row may be written again, and young, between the two.
      'delete from %1$s where %2$I < $1 and ctid = any (array('
      'select ctid from %1$s where %2$I < $1 limit $2 for update skip locked))',
      v_kind.name, v_kind.moment
    ) using v_kind.before, p_limit;
    get diagnostics v_deleted = row_count;
    v_all := v_all + v_deleted;
  end loop;

  if to_regclass('hq.report_facts') is not null then
    -- By the first moment, which the index has; the few old ones that still hold are passed over.
    delete from hq.report_facts
    where seen_at < now() - interval '400 days' and ctid = any (array(
      select f.ctid from hq.report_facts as f
      where f.since < now() - interval '400 days' and f.seen_at < now() - interval '400 days'
      order by f.since
      limit p_limit
      for update skip locked
    ));
    get diagnostics v_deleted = row_count;
    v_all := v_all + v_deleted;
  end if;

  if to_regclass('cron.job_run_details') is not null then
    begin
      -- A job that was cut short never gets an end, and one that never began has no time at all: its number gives
      -- its age.
      delete from cron.job_run_details
      where runid in (
        select d.runid
        from cron.job_run_details as d
        where d.runid <= (
          select max(o.runid) from cron.job_run_details as o
          where coalesce(o.end_time, o.start_time) < now() - interval '7 days'
        )
          and coalesce(d.end_time, d.start_time, '-infinity') < now() - interval '7 days'
        order by d.runid
        limit p_limit
      );
      get diagnostics v_deleted = row_count;
      v_all := v_all + v_deleted;
    exception when insufficient_privilege then
      null;
    end;
  end if;
  return v_all;
end
$$;
revoke execute on function hq.purge_rest from public, anon, authenticated;
comment on function hq.purge_rest is 'Supprime un lot de ce qui vieillit hors des journaux : '
  'détails de pg_cron, contrôles, annonces, traces des ouvriers, chiffres des rapports.';
