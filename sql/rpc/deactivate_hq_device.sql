-- Deactivate a device that its push service no longer knows.
-- Locks the device's subscriptions for a moment. Idempotent.
-- Raises nothing.
create or replace function public.deactivate_hq_device(p_target text, p_failure text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  perform hq.deactivate_device(p_target, p_failure);
end
$$;
revoke execute on function public.deactivate_hq_device from public, anon, authenticated;
grant execute on function public.deactivate_hq_device to service_role;
comment on function public.deactivate_hq_device is
  'Désactive un appareil que son service de notification ne connaît plus.';
