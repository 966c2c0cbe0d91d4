-- Read the managed platforms, or one of them, for a worker (the host's function is for the owner's token only).
-- The availability is the one that was measured at the last check, within thirty days: the host's column holds 99.9 by
-- default, for sites that nobody checks as well, so it is not read.
-- Read-only. In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
create or replace function public.read_hq_platforms_v2(p_platform_key text default null)
returns table (
  key text,
  name text,
  description text,
  github_url text,
  status text,
  status_reason text,
  last_release_at timestamptz,
  uptime_percent numeric,
  checks integer,
  outage_minutes integer,
  checked_since timestamptz,
  checked_at timestamptz
)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
begin
  return query
    -- Cast, because the types of the host's columns are the host's to change.
    select p.key::text, p.name::text, p.description::text, p.github_url::text, p.status::text, p.status_reason::text,
      hq.clamp_instant(p.last_release_at::timestamptz),
      u.uptime_percent, coalesce(u.checks, 0), coalesce(u.outage_minutes, 0),
      hq.clamp_instant(u.checked_since), hq.clamp_instant(u.checked_at)
    from hq.platforms as p
    left join hq.platform_uptimes as u on u.platform_key = p.key and u.checked_at > now() - interval '30 days'
    where p_platform_key is null or p.key = p_platform_key
    order by p.name;
end
$$;
revoke execute on function public.read_hq_platforms_v2 from public, anon, authenticated;
grant execute on function public.read_hq_platforms_v2 to service_role;
comment on function public.read_hq_platforms_v2 is 'Plateformes gérées, avec leur disponibilité mesurée, '
  'telles que les lit un ouvrier.';
