-- Revoke every privilege that hq.closed_doors lists and that is granted, if the host has the object; called at the end
-- of every migration. Locks: access exclusive, for a moment, on a table whose row security it enables. Idempotent: what
-- is revoked is not touched. Returns how many it revoked.
-- Raises nothing for an object that belongs to somebody else: it raises a notice, and the doctor reports the privilege.
create or replace function hq.close_doors()
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_statements text;
  v_closed integer := 0;
begin
  for v_statements in
    select case
      when d.kind = 'table' then format('alter table %s enable row level security', d.object)
      else format('revoke execute on function %s from public, anon, authenticated', d.object)
        -- It may have its rights through PUBLIC.
        || case when d.in_public then format('; grant execute on function %s to service_role', d.object) else '' end
      end
    from hq.find_open_doors() as d
  loop
    begin
      execute v_statements;
      raise notice 'closed: %', v_statements;
      v_closed := v_closed + 1;
    exception when insufficient_privilege then
      raise notice 'not ours to close: %', v_statements;
    end;
  end loop;
  return v_closed;
end
$$;
revoke execute on function hq.close_doors from public, anon, authenticated;
comment on function hq.close_doors is 'Ferme les portes de hq.closed_doors qui seraient ouvertes. '
  'Sans effet si tout est fermé.';
