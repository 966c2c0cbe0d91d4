-- Return whether a whole table has a usable index whose first key columns are p_columns, in this order.
-- Read-only. What an index merely includes is no key, and an expression is no column. A partial index serves only
-- where it is p_index, the one that we build for it ourselves.
-- Raises nothing; false where the table is missing.
create or replace function hq.has_index(p_table text, p_columns text[], p_index text)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = to_regclass(p_table)
      and i.indisvalid
      and (i.indpred is null or i.indexrelid = to_regclass(p_index))
      and p_columns = (
        -- An expression has number 0 and finds no column: its place stays, as null, which equals no name.
        select array_agg(a.attname::text order by k.place)
        from unnest(i.indkey::int2[]) with ordinality as k (number, place)
        left join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
        where k.place <= least(i.indnkeyatts, cardinality(p_columns))
      )
  )
$$;
revoke execute on function hq.has_index from public, anon, authenticated;
comment on function hq.has_index is 'La table a-t-elle un index utilisable qui commence par ces colonnes ?';
