-- List the tables whose columns, by their names, hold personal data: which kinds, in how many columns, and what
-- protects the table. Names of the schema alone: no row is read. The platform's own schemas and extensions are left
-- out, but its accounts are a table of people too.
-- Read-only. Not bounded: the function that serves it is.
-- Raises nothing.
create or replace function hq.list_personal_columns()
returns table (
  schema_name text,
  table_name text,
  kinds text[],
  columns integer,
  row_security boolean,
  policies integer,
  open_to text[]
)
language sql
stable
security definer
set search_path = ''
as $$
  with patterns (kind, pattern) as (
    values
      ('email', '(^|_)e?mails?(_|$)|(^|_)courriel'),
      ('phone', '(^|_)(phone|mobile|telephone|tel)(_|$)'),
      ('name', '^(name|full_?name|first_?name|last_?name|nom|prenom|display_name)$'),
      ('name', '(^|_)(contact|customer|partner|person|requester|user)_name$'),
      ('address', '(^|_)(street|postal|postcode|zip|city|home_address|adresse)(_|$)|^address$'),
      ('ip', '(^|_)ip(_address)?$'),
      ('device', '^(user_agent|device_label|endpoint|p256dh|auth_key)$'),
      ('birth', '(^|_)(birth|birthday|birthdate|dob|naissance)(_|$)'),
      ('account', '(^|_)(user_id|owner_id|created_by|session_id|visitor_id|attendees)$'),
      ('health', '(^|_)(health|medical|diagnosis|symptom|mood|emotion|patient)'),
      ('free_text', '^(message|content|body|notes?|comment|full_summary)$')
  ),
  found as (
    select n.oid as schema_oid, n.nspname, c.oid, c.relname, c.relrowsecurity, p.kind, a.attname
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join patterns as p on a.attname ~ p.pattern
    where c.relkind in ('r', 'p')
      and (
        n.nspname || '.' || c.relname = 'auth.users'
        or n.nspname !~ '^(pg_|_)' and n.nspname <> all (array[
          'information_schema', 'auth', 'storage', 'realtime', 'extensions', 'graphql', 'graphql_public', 'vault',
          'cron', 'net', 'pgsodium', 'pgbouncer', 'supabase_functions', 'supabase_migrations'
        ])
      )
      and not exists (
        select from pg_catalog.pg_depend as d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
      )
  )
  select
    f.nspname::text, f.relname::text,
    array_agg(distinct f.kind order by f.kind),
    count(distinct f.attname)::integer,
    f.relrowsecurity,
    (select count(*)::integer from pg_catalog.pg_policy as p where p.polrelid = f.oid),
    array(
      select r.name
      from unnest(array['anon', 'authenticated']) as r (name)
      where has_schema_privilege(r.name, f.schema_oid, 'usage')
        and has_any_column_privilege(r.name, f.oid, 'select, insert, update')
    )
  from found as f
  group by f.schema_oid, f.nspname, f.oid, f.relname, f.relrowsecurity
$$;
revoke execute on function hq.list_personal_columns from public, anon, authenticated;
comment on function hq.list_personal_columns is 'Tables qui, d''après le nom de leurs colonnes, '
  'contiennent des données personnelles ; aucune donnée n''est lue.';
