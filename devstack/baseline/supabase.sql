-- What the hosted platform has made before a project's first migration, as far as HQ touches it.
-- Applied by a superuser, once per database. Roles belong to the whole cluster, so they may be there already.

do $$
declare
  name text;
  attributes text;
begin
  for name, attributes in values
    ('anon', 'nologin noinherit'),
    ('authenticated', 'nologin noinherit'),
    ('service_role', 'nologin noinherit bypassrls'),
    ('authenticator', 'login noinherit'),
    ('supabase_auth_admin', 'login noinherit'),
    -- Not a superuser, as on the platform: what our migrations may do is proven by what this role may do.
    ('postgres', 'login createdb createrole replication bypassrls')
  loop
    begin
      execute format('create role %I %s password %L', name, attributes, 'postgres');
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end
$$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

-- PostgREST takes over the limit of the role it speaks for.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role postgres set search_path = "$user", public, extensions;

do $$
begin
  execute format('alter database %I owner to postgres', current_database());
end
$$;

-- Schema public.
-- Everything made here is open to every API role unless it is closed by hand. That is the platform's habit, and
-- the reason why each function of ours has to revoke EXECUTE.

grant usage on schema public to anon, authenticated, service_role;

alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;

-- Schema extensions.

create schema extensions;
grant usage on schema extensions to anon, authenticated, service_role;
grant all on schema extensions to postgres;

do $$
begin
  if exists (select from pg_available_extensions where name = 'pgcrypto') then
    create extension pgcrypto with schema extensions;
  end if;
end
$$;

-- Schema auth: accounts, and who is asking.

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to postgres, anon, authenticated, service_role;

set local role supabase_auth_admin;

alter default privileges in schema auth grant all on tables to postgres;
alter default privileges in schema auth grant all on sequences to postgres;

create table auth.users (
  id uuid primary key,
  aud text not null default 'authenticated',
  role text not null default 'authenticated',
  email text unique,
  encrypted_password text,
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  banned_until timestamptz,
  raw_app_meta_data jsonb not null default '{"provider": "email", "providers": ["email"]}',
  raw_user_meta_data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table auth.refresh_tokens (
  id bigint generated always as identity primary key,
  token text not null unique,
  parent text,
  user_id uuid not null references auth.users (id) on delete cascade,
  session_id uuid not null default gen_random_uuid(),
  revoked boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- PostgREST sets `request.jwt.claims` for the transaction; anybody with SQL can set it likewise.
create function auth.jwt() returns jsonb
language sql stable
return nullif(current_setting('request.jwt.claims', true), '')::jsonb;

create function auth.uid() returns uuid
language sql stable
return (auth.jwt() ->> 'sub')::uuid;

create function auth.role() returns text
language sql stable
return auth.jwt() ->> 'role';

create function auth.email() returns text
language sql stable
return auth.jwt() ->> 'email';

reset role;

-- Schema storage: the one table that a migration of HQ writes to.

create schema storage;
grant usage on schema storage to postgres, anon, authenticated, service_role;

create table storage.buckets (
  id text primary key,
  name text not null unique,
  public boolean not null default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
alter table storage.buckets enable row level security;
grant all on storage.buckets to postgres, anon, authenticated, service_role;

-- Realtime.

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

-- Private channels: whom a policy lets read or write its messages may listen or speak there. Nobody, without one.

create schema realtime;
grant usage on schema realtime to postgres, anon, authenticated, service_role;

create table realtime.messages (
  id uuid not null default gen_random_uuid() primary key,
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  inserted_at timestamp not null default now(),
  updated_at timestamp not null default now()
);
alter table realtime.messages owner to postgres;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

create function realtime.topic() returns text
language sql stable
return nullif(current_setting('realtime.topic', true), '');

-- PostgREST learns of new tables and functions by itself.

create function extensions.tell_postgrest() returns event_trigger
language plpgsql
as $$
begin
  notify pgrst, 'reload schema';
end
$$;

create event trigger tell_postgrest_of_ddl on ddl_command_end
  when tag in (
    'ALTER FUNCTION', 'ALTER TABLE', 'ALTER TYPE', 'ALTER VIEW', 'COMMENT', 'CREATE FUNCTION', 'CREATE SCHEMA',
    'CREATE TABLE', 'CREATE TYPE', 'CREATE VIEW', 'GRANT', 'REVOKE'
  )
  execute function extensions.tell_postgrest();
create event trigger tell_postgrest_of_drops on sql_drop
  execute function extensions.tell_postgrest();

-- pg_cron, where the server has it and this is its database.
-- The grants are the platform's: `postgres` schedules by the functions, reads its jobs and clears their history.

do $$
begin
  if current_setting('cron.database_name', true) is distinct from current_database() then
    return;
  end if;
  create extension pg_cron with schema pg_catalog;
  grant usage on schema cron to postgres with grant option;
  grant all on all functions in schema cron to postgres with grant option;
  grant all on all tables in schema cron to postgres with grant option;
  revoke all on cron.job from postgres;
  grant select on cron.job to postgres with grant option;
end
$$;
