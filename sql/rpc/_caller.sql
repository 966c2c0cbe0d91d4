-- Say who is calling: 'service', 'owner' or 'sql' (psql, SQL editor, pg_cron).
-- Read-only. The claims decide, never current_user (always the owner inside a security definer function)
-- nor auth.uid() alone (null for every token without a subject).
-- Raises HQ001 for anybody else.
create or replace function hq.caller()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_claims jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
begin
  if v_claims is null and session_user <> 'authenticator' then
    return 'sql';
  elsif v_claims ->> 'role' = 'service_role' then
    return 'service';
  elsif v_claims ->> 'role' = 'authenticated' and public.is_owner() then
    return 'owner';
  end if;
  raise exception using
    errcode = 'HQ001',
    message = 'Accès refusé : cette action est réservée à la présidence.',
    hint = 'Call with the service key, or with the token of a user whose role is owner.';
exception when invalid_text_representation then
  -- A signed token whose subject is no user id.
  raise exception using
    errcode = 'HQ001',
    message = 'Accès refusé : cette action est réservée à la présidence.',
    hint = 'The subject of the token is not a user id.';
end
$$;
revoke execute on function hq.caller from public, anon, authenticated;
comment on function hq.caller is 'Identité de l''appelant : service, owner ou sql ; refuse tout autre.';
