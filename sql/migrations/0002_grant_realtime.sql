-- Why: Realtime checks the subscriber's rights. Without them no event of hq.runs reaches anybody.
-- phase: expand
-- Locks: brief, on the catalogue; adding to the publication takes share update exclusive on hq.runs.
-- Undo: revoke the same rights; alter publication supabase_realtime drop table hq.runs.
set local lock_timeout = '5s';

-- Four columns are enough for "look now" and for the screens, which only refetch. The host's owner policy
-- still decides which rows a signed-in person sees.
grant usage on schema hq to authenticated, service_role;
grant select (id, run_type, status, created_at) on hq.runs to authenticated, service_role;

-- With USAGE on the schema, whatever PUBLIC may execute there becomes callable. These are the host's.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'hq'::regnamespace and p.proname in ('purge_old_logs', 'update_updated_at')
  loop
    execute format('revoke execute on function %s from public, anon, authenticated', v_function);
  end loop;
end
$$;

do $$
begin
  if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    raise notice 'publication supabase_realtime is missing: workers will poll (emocare doctor reports it)';
  elsif not exists (
    select from pg_catalog.pg_publication_tables
    where pubname = 'supabase_realtime' and schemaname = 'hq' and tablename = 'runs'
  ) then
    alter publication supabase_realtime add table hq.runs;
  end if;
end
$$;
