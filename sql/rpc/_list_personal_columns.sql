-- List the tables whose columns, by their names, hold personal data: which kinds, in how many columns, and what
-- protects the table. Names of the schema alone: no row is read. The platform's own schemas and extensions are left
-- out, but its accounts are a table of people too.
-- Read-only. Not bounded: the function that serves it is. In plpgsql: its plan, long to make, is kept for the session.
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
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  -- Of a column's name between slashes, each of its underscores a slash too, and a slash of its own a space. Not
  -- regular expressions, of which a session keeps few compiled.
  with patterns (kind, likes) as (
    values
      ('email', '{%/email/%,%/emails/%,%/mail/%,%/mails/%,%/courriel%}'::text[]),
      ('phone', '{%/phone/%,%/mobile/%,%/telephone/%,%/tel/%}'),
      (
        'name',
        '{/name/,/full/name/,/fullname/,/first/name/,/firstname/,/last/name/,/lastname/,/nom/,/prenom/,/display/name/,'
        '%/contact/name/,%/customer/name/,%/partner/name/,%/person/name/,%/requester/name/,%/user/name/}'
      ),
      (
        'address',
        '{%/street/%,%/postal/%,%/postcode/%,%/zip/%,%/city/%,%/home/address/%,%/adresse/%,/address/}'
      ),
      ('ip', '{%/ip/,%/ip/address/}'),
      ('device', '{/user/agent/,/device/label/,/endpoint/,/p256dh/,/auth/key/}'),
      ('birth', '{%/birth/%,%/birthday/%,%/birthdate/%,%/dob/%,%/naissance/%}'),
      ('account', '{%/user/id/,%/owner/id/,%/created/by/,%/session/id/,%/visitor/id/,%/attendees/}'),
      ('health', '{%/health%,%/medical%,%/diagnosis%,%/symptom%,%/mood%,%/emotion%,%/patient%}'),
      ('free_text', '{/message/,/content/,/body/,/note/,/notes/,/comment/,/full/summary/}')
  ),
  tables as materialized (
    select n.oid as schema_oid, n.nspname, c.oid, c.relname, c.relrowsecurity
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
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
  ),
  columns as materialized (
    select t.*, a.attname
    from tables as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  ),
  -- Each name once: most tables have the same few, and matching is what costs.
  named as materialized (
    select n.attname, p.kind
    from (select distinct c.attname from columns as c) as n
    join patterns as p on translate('_' || n.attname || '_', '_/', '/ ') like any (p.likes)
  ),
  found as (
    select c.*, n.kind from columns as c join named as n on n.attname = c.attname
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
  group by f.schema_oid, f.nspname, f.oid, f.relname, f.relrowsecurity;
end
$$;
revoke execute on function hq.list_personal_columns from public, anon, authenticated;
comment on function hq.list_personal_columns is 'Tables qui, d''après le nom de leurs colonnes, '
  'contiennent des données personnelles ; aucune donnée n''est lue.';
