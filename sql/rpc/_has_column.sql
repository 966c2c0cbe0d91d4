-- Return whether a table exists and has a column, of a given category of types if one is given (D: dates, N: numbers).
-- Read-only. The host's schema is the host's to change: what it lacks is not read.
-- In plpgsql because reports call it for every column: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.has_column(p_table text, p_column text, p_category text default null)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return exists (
    select
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    where a.attrelid = to_regclass(p_table) and a.attname = p_column and not a.attisdropped and a.attnum > 0
      and (p_category is null or t.typcategory = p_category)
  );
end
$$;
revoke execute on function hq.has_column from public, anon, authenticated;
comment on function hq.has_column is 'Une table existe et a cette colonne.';
