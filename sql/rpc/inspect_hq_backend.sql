-- Examine the database as inspect_hq_backend_v2 does, without the codes of the checks.
-- Deprecated: served until the release after next, because the doctor of deployed workers calls it.
-- Read-only. Raises nothing.
create or replace function public.inspect_hq_backend()
returns table (name text, state text, detail text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query select c.name, c.state, c.detail from public.inspect_hq_backend_v2() as c;
end
$$;
revoke execute on function public.inspect_hq_backend from public, anon, authenticated;
grant execute on function public.inspect_hq_backend to service_role;
comment on function public.inspect_hq_backend is
  'Ancienne forme de inspect_hq_backend_v2, gardée pour les ouvriers déjà déployés.';
