-- Purge one bounded batch where pg_cron has not purged for 26 hours: the workers' way to keep logs from growing for
-- ever. Returns how many logs went, and whether to come back soon.
-- Locks the rows it deletes. Idempotent. Two workers at once: one purges, for the other nothing is left.
-- Raises 55P03 when another session holds one of the logs: call again.
create or replace function public.purge_hq_expired(p_limit integer default 2000)
returns table (deleted integer, more boolean)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_days constant integer := hq.read_log_retention();
  v_before constant timestamptz := now() - make_interval(hours => 24 * v_days);
  v_left integer := greatest(1, least(p_limit, 10000));
  v_level text := '';
  v_batch record;
  v_deleted integer := 0;
begin
  if exists (select from hq.maintenance as m where m.task = 'purge' and m.done_at > now() - interval '26 hours') then
    return query select 0, false;
    return;
  end if;
  while v_days is not null and v_left > 0 loop
    v_level := (select l.level from hq.structured_logs as l where l.level > v_level order by l.level limit 1);
    exit when v_level is null;
    select b.deleted into v_batch from hq.purge_logs(v_level, '-infinity', v_before, v_left) as b;
    if not found then
      return query select 0, false;
      return;
    end if;
    v_deleted := v_deleted + v_batch.deleted;
    v_left := v_left - v_batch.deleted;
  end loop;
  perform hq.end_purge(v_days, v_deleted, hq.purge_rest(2000), v_days is not null and v_left > 0);
  return query select v_deleted, v_left = 0;
end
$$;
revoke execute on function public.purge_hq_expired from public, anon, authenticated;
grant execute on function public.purge_hq_expired to service_role;
comment on function public.purge_hq_expired is 'Purge un lot à la place de pg_cron, '
  's''il ne l''a pas fait depuis 26 heures (appelée par les ouvriers).';
