-- Deactivate a device that its push service no longer knows, and end what waits for it. Idempotent.
-- Locks the device's subscriptions for a moment; a row that another session holds stays, until the next message to it.
-- Raises nothing.
create or replace function hq.deactivate_device(p_target text, p_failure text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  update hq.delivery_targets as t set failed_at = now(), failure = left(p_failure, 200) where t.target = p_target;
  update hq.deliveries as d set status = 'gone', ended_at = now(), leased_until = null
  where d.target = p_target and d.status = 'waiting';
  if to_regclass('hq.push_subscriptions') is not null then
    update hq.push_subscriptions as s set is_active = false
    where s.id in (
      select p.id from hq.push_subscriptions as p
      where p.is_active and 'device:' || encode(sha256(convert_to(p.endpoint, 'UTF8')), 'hex') = p_target
      for update skip locked
    );
  end if;
end
$$;
revoke execute on function hq.deactivate_device from public, anon, authenticated;
comment on function hq.deactivate_device is 'Désactive un appareil que son service de notification ne connaît plus.';
