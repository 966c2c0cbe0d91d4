-- Measure from its checks how available a platform was over thirty days: how often it was checked, when first and last,
-- how many minutes it was down, and which share of the time it answered. One row; without checks the counts are 0.
-- The share is null before a day of checks exists: three checks of one minute are no availability.
-- Read-only; reads one index. Raises nothing.
create or replace function hq.measure_uptime(p_platform_key text)
returns table (
  uptime_percent numeric, checks integer, outage_minutes integer, checked_since timestamptz, checked_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  -- Five minutes weigh the same however often somebody looked meanwhile.
  with slots as (
    select
      count(*) as checks,
      -- In floating point, because numeric takes three times as long.
      count(*) filter (where c.status = 'red')::float8 / count(*) as down,
      min(c.checked_at) as first_at,
      max(c.checked_at) as last_at
    from hq.platform_checks as c
    where c.platform_key = p_platform_key
      and c.checked_at > now() - interval '30 days'
      -- What is later was checked before the clock was put back, and says nothing of now.
      and c.checked_at < (select clock_timestamp() + interval '1 minute')
    group by date_bin('5 minutes', c.checked_at, 'epoch')
  )
  select
    case when min(s.first_at) <= now() - interval '1 day' then round((100 - 100 * avg(s.down))::numeric, 2) end,
    coalesce(sum(s.checks), 0)::integer,
    coalesce(round((5 * sum(s.down))::numeric), 0)::integer,
    min(s.first_at),
    max(s.last_at)
  from slots as s
$$;
revoke execute on function hq.measure_uptime from public, anon, authenticated;
comment on function hq.measure_uptime is 'Disponibilité d''une plateforme sur 30 jours d''après ses contrôles : part, '
  'nombre de contrôles, minutes d''indisponibilité.';
