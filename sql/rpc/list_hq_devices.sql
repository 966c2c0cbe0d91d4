-- List the owners' devices with what is needed to send to them.
-- Read-only; 100 at most.
-- Raises nothing.
create or replace function public.list_hq_devices()
returns table (target text, endpoint text, p256dh text, auth_key text)
language sql
stable
security definer
set search_path = ''
as $$
  select d.target, d.endpoint, d.p256dh, d.auth_key from hq.list_devices() as d
  limit 100
$$;
revoke execute on function public.list_hq_devices from public, anon, authenticated;
grant execute on function public.list_hq_devices to service_role;
comment on function public.list_hq_devices is 'Les appareils abonnés des propriétaires actuels, '
  'avec ce qu''il faut pour leur envoyer un message.';
