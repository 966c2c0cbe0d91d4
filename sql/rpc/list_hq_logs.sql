-- List structured logs, newest first, for the command line (the screens' own function is for the owner's token only).
-- Read-only. At most 500 rows; p_after keeps those written at or after a moment.
-- Raises nothing.
create or replace function public.list_hq_logs(
  p_limit integer default 50, p_run_id uuid default null, p_level text default null, p_after timestamptz default null
)
returns table (id uuid, level text, source text, message text, metadata jsonb, run_id uuid, created_at timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select l.id, l.level, l.source, l.message, coalesce(l.metadata, '{}'), l.run_id, hq.clamp_instant(l.created_at)
  from hq.structured_logs as l
  where (p_run_id is null or l.run_id = p_run_id)
    and (p_level is null or l.level = p_level)
    and (p_after is null or l.created_at >= p_after)
  order by l.created_at desc, l.id
  limit least(greatest(p_limit, 0), 500)
$$;
revoke execute on function public.list_hq_logs from public, anon, authenticated;
grant execute on function public.list_hq_logs to service_role;
comment on function public.list_hq_logs is 'Journaux structurés, pour la ligne de commande.';
