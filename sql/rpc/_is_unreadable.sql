-- Decide whether a context is JSON that a reader may choke on: nested beyond 32 levels, or endless digits.
-- Pure. It would otherwise be read with other runs, and cost them an attempt.
-- Raises nothing: what is too deep for PostgreSQL itself is too deep.
create or replace function hq.is_unreadable(p_context jsonb)
returns boolean
language plpgsql
immutable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return jsonb_path_exists(p_context, '$.**{32 to last}') or p_context::text ~ '([0-9]{250}){4}';
exception when statement_too_complex then
  return true;
end
$$;
revoke execute on function hq.is_unreadable from public, anon, authenticated;
comment on function hq.is_unreadable is 'Contexte trop imbriqué ou aux nombres trop longs pour être relu sans risque.';
