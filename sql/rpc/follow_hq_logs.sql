-- List structured logs from a moment on, oldest first, page by page: whoever follows them misses none.
-- Read-only. At most 500 rows; a next page begins after the last row of the one before. A line without a date is none.
-- Raises nothing.
create or replace function public.follow_hq_logs(
  p_from timestamptz default null,
  p_after_id uuid default null,
  p_run_id uuid default null,
  p_level text default null,
  p_limit integer default 500
)
returns table (id uuid, level text, source text, message text, metadata jsonb, run_id uuid, created_at timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select l.id, l.level, l.source, l.message, coalesce(l.metadata, '{}'), l.run_id, l.created_at
  from hq.structured_logs as l
  where l.created_at >= greatest(p_from, timestamptz '0001-01-02 00:00:00+00')
    and l.created_at < timestamptz '9999-12-31 00:00:00+00'
    and (p_after_id is null or (l.created_at, l.id) > (p_from, p_after_id))
    and (p_run_id is null or l.run_id = p_run_id)
    and (p_level is null or l.level = p_level)
  order by l.created_at, l.id
  limit least(greatest(p_limit, 0), 500)
$$;
revoke execute on function public.follow_hq_logs from public, anon, authenticated;
grant execute on function public.follow_hq_logs to service_role;
comment on function public.follow_hq_logs is 'Suite des journaux structurés à partir d''un instant, '
  'pour la ligne de commande.';
