-- Read the managed platforms as read_hq_platforms_v2 does, with the measured availability alone.
-- Deprecated: served until the release after next, because deployed workers call it.
-- Read-only. Raises nothing.
create or replace function public.read_hq_platforms(p_platform_key text default null)
returns table (
  key text,
  name text,
  description text,
  github_url text,
  status text,
  status_reason text,
  uptime_percent numeric,
  last_release_at timestamptz
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    select p.key, p.name, p.description, p.github_url, p.status, p.status_reason, p.uptime_percent, p.last_release_at
    from public.read_hq_platforms_v2(p_platform_key) as p
    order by p.name;
end
$$;
revoke execute on function public.read_hq_platforms from public, anon, authenticated;
grant execute on function public.read_hq_platforms to service_role;
comment on function public.read_hq_platforms is
  'Ancienne forme de read_hq_platforms_v2, gardée pour les ouvriers déjà déployés.';
