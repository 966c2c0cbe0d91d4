-- Examine who is notified beyond the screens: whether there are channels and devices, and how the last message to each
-- channel went. A push service that is not called is named.
-- Read-only.
-- Raises nothing.
create or replace function hq.inspect_notifications()
returns table (code text, subject text, name text, state text, detail text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  select
    'channels',
    null::text,
    'channels',
    case when count(*) > 0 then 'green' else 'amber' end,
    case
      when count(*) > 0 then format('%s: %s', count(*), string_agg(t.label, ', ' order by t.label))
      else 'nobody is notified beyond the screens: set NOTIFY_URLS on the workers'
    end
  from hq.delivery_targets as t
  where t.kind = 'channel' and hq.is_recent(t.seen_at, interval '15 minutes');

  return query
  select
    -- What stays refused until somebody mends the address, in its own words.
    case
      when (t.failures > 0 or t.failed_at > coalesce(t.accepted_at, '-infinity'))
        and t.failure ~ '^http_(3[0-9][0-9]|40[12347]|410)$' then 'channel_refused'
      else 'channel'
    end,
    t.label,
    'channel ' || t.label,
    case when t.failures > 0 or t.failed_at > t.accepted_at then 'amber' else 'green' end,
    concat_ws(
      ', ',
      'last message accepted ' || coalesce('at ' || date_trunc('second', t.accepted_at), 'never'),
      case
        when t.failures > 0 or t.failed_at > t.accepted_at
          then format('%s at %s', t.failure, date_trunc('second', t.failed_at))
      end
    )
  from hq.delivery_targets as t
  where t.kind = 'channel' and hq.is_recent(t.seen_at, interval '15 minutes')
  order by t.label;

  return query
  select
    'devices',
    null::text,
    'devices',
    case when count(d.target) = 0 or count(t.failure) > 0 then 'amber' else 'green' end,
    case
      when count(d.target) = 0 then 'none is subscribed: the page ends a subscription when it is loaded again'
      else format('%s subscribed', count(d.target)) || coalesce(
        '; failing: ' || string_agg(distinct format('%s (%s)', t.label, t.failure), ', '), ''
      )
    end
  from hq.list_devices() as d
  left join hq.delivery_targets as t
    on t.target = d.target and t.failed_at > coalesce(t.accepted_at, '-infinity');
end
$$;
revoke execute on function hq.inspect_notifications from public, anon, authenticated;
comment on function hq.inspect_notifications is 'Contrôle de ce qui prévient hors des écrans : canaux et appareils.';
