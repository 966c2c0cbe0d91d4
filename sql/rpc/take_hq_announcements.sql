-- Record which announcements were sent, and take the next ones, as take_hq_announcements_v2 does.
-- Deprecated: served until the release after next, because deployed workers call it.
-- Idempotent, and locks, as take_hq_announcements_v2. Raises nothing.
create or replace function public.take_hq_announcements(p_said text[], p_limit integer, p_lease_seconds numeric)
returns table (key text, event text, payload jsonb)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    select t.key, t.event, t.payload
    from public.take_hq_announcements_v2(p_said, p_limit, p_lease_seconds) as t;
end
$$;
revoke execute on function public.take_hq_announcements from public, anon, authenticated;
grant execute on function public.take_hq_announcements to service_role;
comment on function public.take_hq_announcements is
  'Ancienne forme de take_hq_announcements_v2, gardée pour les ouvriers déjà déployés.';
