-- Derive a platform's state, its uptime over thirty days and its incident from its checks.
-- The caller holds the platform's row, so that two recordings never open two incidents. Idempotent.
-- Raises nothing.
create or replace function hq.update_platform_state(p_platform_key text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_latest hq.platform_checks;
  v_uptime numeric;
  v_failures bigint;
  v_first timestamptz;
  v_incident uuid;
  -- What is later was checked before the clock was put back, and says nothing of now.
  v_latest_at constant timestamptz := clock_timestamp() + interval '1 minute';
begin
  select * into v_latest
  from hq.platform_checks as c
  where c.platform_key = p_platform_key and c.checked_at < v_latest_at
  order by c.checked_at desc, c.id desc
  limit 1;
  if not found then
    return;
  end if;

  insert into hq.platform_uptimes as u (
    platform_key, uptime_percent, checks, outage_minutes, checked_since, checked_at
  )
  select p_platform_key, m.uptime_percent, m.checks, m.outage_minutes, m.checked_since, m.checked_at
  from hq.measure_uptime(p_platform_key) as m
  where m.checks > 0
  on conflict (platform_key) do update
  set uptime_percent = excluded.uptime_percent,
    checks = excluded.checks,
    outage_minutes = excluded.outage_minutes,
    checked_since = excluded.checked_since,
    checked_at = excluded.checked_at
  -- Null before a day of checks exists: what the host's column holds until then is not ours.
  returning u.uptime_percent into v_uptime;

  -- With every check, changed or not: the page shows the reason, and when it was last written.
  update hq.platforms as p
  set status = v_latest.status,
    status_reason = coalesce(
      v_latest.reason,
      coalesce('Répond en ' || v_latest.response_ms || ' ms, contrôlé à ', 'Contrôlé à ')
        || to_char(v_latest.checked_at at time zone hq.paris_zone(), 'HH24:MI')
    ),
    uptime_percent = coalesce(v_uptime, p.uptime_percent),
    updated_at = clock_timestamp()
  where p.key = p_platform_key;

  if v_latest.status <> 'red' then
    delete from hq.platform_outages as o where o.platform_key = p_platform_key returning o.incident_id into v_incident;
    update hq.incidents as i
    set status = 'resolved', resolved_at = clock_timestamp()
    where i.id = v_incident and i.status in ('open', 'investigating');
    if found then
      perform hq.announce_event('incident_closed:' || i.id, 'incident_closed', jsonb_build_object(
        'incident_id', i.id, 'platform', p.name, 'opened_at', i.created_at, 'closed_at', i.resolved_at
      ))
      from hq.incidents as i
      join hq.platforms as p on p.key = p_platform_key
      where i.id = v_incident;
    end if;
    return;
  end if;

  select count(*), min(c.checked_at) into v_failures, v_first
  from hq.platform_checks as c
  where c.platform_key = p_platform_key
    and c.checked_at < v_latest_at
    and c.checked_at > coalesce(
      (
        select max(good.checked_at) from hq.platform_checks as good
        where good.platform_key = p_platform_key and good.status <> 'red' and good.checked_at < v_latest_at
      ),
      '-infinity'
    );
  if v_failures < 3
    or v_latest.checked_at - v_first < interval '5 minutes'
    or exists (select from hq.platform_outages as o where o.platform_key = p_platform_key)
  then
    return;
  end if;
  insert into hq.incidents (platform_key, severity, title, description)
  select
    p.key,
    'high',
    'Site injoignable : ' || p.name,
    concat_ws(
      ' ',
      format(
        'Le site ne répond plus depuis le %s (heure de Paris).',
        to_char(v_first at time zone hq.paris_zone(), 'DD/MM/YYYY à HH24:MI')
      ),
      v_latest.reason,
      'Incident ouvert par la surveillance ; il sera clos au retour du site.'
    )
  from hq.platforms as p
  where p.key = p_platform_key
  returning id into v_incident;
  insert into hq.platform_outages (platform_key, incident_id, began_at) values (p_platform_key, v_incident, v_first);
  perform hq.announce_event('incident_opened:' || v_incident, 'incident_opened', jsonb_build_object(
    'incident_id', v_incident, 'platform', p.name, 'began_at', v_first, 'reason', left(v_latest.reason, 300)
  ))
  from hq.platforms as p
  where p.key = p_platform_key;
end
$$;
revoke execute on function hq.update_platform_state from public, anon, authenticated;
comment on function hq.update_platform_state is 'Tire des contrôles l''état, '
  'la disponibilité et l''incident éventuel d''une plateforme.';
