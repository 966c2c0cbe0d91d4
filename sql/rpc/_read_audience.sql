-- Read the visits of the public site over seven days, and over the seven before: {views, views_before, sessions, cut,
-- newest, routes: [{route, views}]}. A route that is not in the list is 'other': anybody may insert events, and
-- what they wrote is never returned. Null where the host has no such table.
-- Read-only. The newest 50,000 views; cut says that there are more. Twenty routes at most.
-- Raises what the host's own types raise.
create or replace function hq.read_audience(p_routes text[])
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if to_regclass('public.analytics_events') is null then
    return null;
  end if;
  return (
    with views as materialized (
      select e.page_path::text as path, e.session_id::text as session, e.created_at,
        e.created_at >= now() - interval '7 days' as is_current
      from public.analytics_events as e
      where e.event_type = 'page_view' and e.created_at >= now() - interval '14 days' and e.created_at <= now()
      order by e.created_at desc
      limit 50000
    ),
    paths as materialized (
      select v.path, count(*) as views
      from views as v
      where v.is_current
      group by v.path
    ),
    routes as (
      select
        coalesce((
          select r.route
          from unnest(p_routes) as r (route)
          where r.route = coalesce(nullif(rtrim(regexp_replace(left(p.path, 512), '[?#].*$', ''), '/'), ''), '/')
          limit 1
        ), 'other') as route,
        p.views
      from paths as p
    )
    select jsonb_build_object(
      'views', count(*) filter (where v.is_current),
      'views_before', count(*) filter (where not v.is_current),
      'sessions', count(distinct v.session) filter (where v.is_current),
      'newest', max(v.created_at),
      'cut', count(*) >= 50000,
      'routes', (
        select coalesce(
          jsonb_agg(jsonb_build_object('route', g.route, 'views', g.views) order by g.views desc, g.route), '[]'
        )
        from (
          select r.route, sum(r.views) as views from routes as r group by r.route order by 2 desc, 1 limit 20
        ) as g
      )
    )
    from views as v
  );
end
$$;
revoke execute on function hq.read_audience from public, anon, authenticated;
comment on function hq.read_audience is 'Visites du site public : '
  'nombres par route connue, jamais une adresse inconnue.';
