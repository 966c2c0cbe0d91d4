-- Return which of our migrations and functions this database has, and its time, so that a worker can refuse to
-- start on an older schema, and the doctor can compare.
-- Read-only.
-- Raises nothing.
create or replace function public.get_hq_schema_state()
returns table (migrations jsonb, functions jsonb, registry_version text, server_time timestamptz)
language sql
stable
security definer
set search_path = ''
as $$
  select
    (
      select coalesce(jsonb_object_agg(m.name, m.sha256), '{}')
      from hq.worker_migrations as m
      where m.kind = 'migration'
    ),
    (
      select coalesce(jsonb_object_agg(m.name, m.sha256), '{}')
      from hq.worker_migrations as m
      where m.kind = 'function'
    ),
    (select min(t.registry_version) from hq.run_types as t),
    clock_timestamp()
$$;
revoke execute on function public.get_hq_schema_state from public, anon, authenticated;
grant execute on function public.get_hq_schema_state to service_role;
comment on function public.get_hq_schema_state is 'Version de notre schéma : '
  'migrations, fonctions, registre, heure du serveur.';
