-- List the devices that receive messages: one row per active push subscription of a current owner, the latest first.
-- Read-only; 100 at most. What no browser writes (a longer address or key) is left out; the rest is the caller's to
-- check: whoever may write hq.push_subscriptions chose it.
-- Raises nothing. Without rows on the older schema, which has no subscriptions.
create or replace function hq.list_devices()
returns table (target text, host text, endpoint text, p256dh text, auth_key text, since timestamptz)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if to_regclass('hq.push_subscriptions') is null then
    return;
  end if;
  return query
  select
    'device:' || encode(sha256(convert_to(s.endpoint, 'UTF8')), 'hex'),
    -- Shown to operators, whatever it is.
    left(regexp_replace(substring(s.endpoint from '^[A-Za-z]+://(?:[^/@]*@)?([^/?#]*)'), '[^\w.:-]', '?', 'g'), 100),
    s.endpoint,
    s.p256dh,
    s.auth_key,
    s.created_at
  from (
    -- A browser that two owners use has one endpoint.
    select distinct on (p.endpoint) p.endpoint, p.p256dh, p.auth_key, p.created_at
    from hq.push_subscriptions as p
    where p.is_active
      and exists (select from public.user_roles as u where u.user_id = p.user_id and u.role = 'owner')
      and length(p.endpoint) <= 2048 and length(p.p256dh) <= 200 and length(p.auth_key) <= 100
    order by p.endpoint, p.created_at desc
  ) as s
  order by s.created_at desc, s.endpoint
  limit 100;
end
$$;
revoke execute on function hq.list_devices from public, anon, authenticated;
comment on function hq.list_devices is 'Les appareils abonnés des propriétaires actuels.';
