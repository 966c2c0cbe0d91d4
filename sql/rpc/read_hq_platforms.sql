-- Read the managed platforms, or one of them, for a worker (the host's function is for the owner's token only).
-- Read-only. A figure that is not a number (NaN, infinity) is left out: one odd row must not cost every report.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
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
    -- Cast, because the types of the host's columns are the host's to change.
    select p.key::text, p.name::text, p.description::text, p.github_url::text, p.status::text, p.status_reason::text,
      nullif(p.uptime_percent::numeric, 'NaN'),
      hq.clamp_instant(p.last_release_at::timestamptz)
    from hq.platforms as p
    where p_platform_key is null or p.key = p_platform_key
    order by p.name;
end
$$;
revoke execute on function public.read_hq_platforms from public, anon, authenticated;
grant execute on function public.read_hq_platforms to service_role;
comment on function public.read_hq_platforms is 'Plateformes gérées, telles que les lit un ouvrier.';
