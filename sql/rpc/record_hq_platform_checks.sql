-- Keep checks of sites and update what depends on them: state and uptime of the platforms, an incident when an outage
-- is real (three failures in a row, over five minutes at least), its end when the site is back.
-- Locks the checked platforms in the order of their keys. Not idempotent: a check sent twice counts twice.
-- Raises 22023 for anything but a list. A platform that the HQ does not know, or that another session holds, is passed
-- over.
create or replace function public.record_hq_platform_checks(p_checks jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_key text;
begin
  for v_key in
    select p.key
    from hq.platforms as p
    where p.key in (select c.value ->> 'platform_key' from jsonb_array_elements(p_checks) as c)
    order by p.key
  loop
    begin
      perform from hq.platforms as p where p.key = v_key for no key update;
      insert into hq.platform_checks (platform_key, checked_at, status, status_code, response_ms, reason)
      select v_key, clock_timestamp(), c.status, c.status_code, c.response_ms, left(c.reason, 300)
      from jsonb_to_recordset(p_checks) as c(
        platform_key text, status text, status_code integer, response_ms integer, reason text
      )
      where c.platform_key = v_key;
      perform hq.update_platform_state(v_key);
    exception when lock_not_available then
      -- However many are held, together they cost one wait.
      perform set_config('lock_timeout', '5ms', true);
    end;
  end loop;
end
$$;
revoke execute on function public.record_hq_platform_checks from public, anon, authenticated;
grant execute on function public.record_hq_platform_checks to service_role;
comment on function public.record_hq_platform_checks is 'Garde des contrôles de sites et en tire l''état, '
  'la disponibilité et les incidents des plateformes.';
