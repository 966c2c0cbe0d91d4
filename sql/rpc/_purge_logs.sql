-- Delete one batch of the logs of a level written from one moment up to another, the oldest first, and say how far it
-- got, so that the next batch need not step over what this one deleted.
-- Locks the rows it deletes. Idempotent. No row is returned while somebody else purges.
-- Planned again each time: the moments decide that the index (level, created_at) serves it, not a scan of the table.
-- Raises 55P03 when another session holds one of the rows: the next purge comes back.
create or replace function hq.purge_logs(p_level text, p_from timestamptz, p_before timestamptz, p_limit integer)
returns table (deleted integer, reached timestamptz)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
begin
  if not pg_try_advisory_xact_lock(hashtextextended('hq.purge_logs', 0)) then
    return;
  end if;
  return query
  with gone as (
    delete from hq.structured_logs as l
    where l.created_at < p_before
      and l.ctid = any (array(
        select o.ctid
        from hq.structured_logs as o
        where o.level = p_level and o.created_at >= p_from and o.created_at < p_before
        order by o.created_at
        limit p_limit
      ))
    returning l.created_at
  )
  select count(*)::integer, coalesce(max(g.created_at), p_from) from gone as g;
end
$$;
revoke execute on function hq.purge_logs from public, anon, authenticated;
comment on function hq.purge_logs is 'Supprime un lot de journaux expirés d''un niveau.';
