-- Digest what a request asks for: type, platform, context. How it is asked (trigger, priority, force) is no part of it.
-- Pure: jsonb has one text for one value, whatever the order of the keys it came with.
-- Raises nothing.
create or replace function hq.digest_request(p_run_type text, p_platform_key text, p_context jsonb)
returns bytea
language sql
immutable
parallel safe
security definer
set search_path = ''
as $$
  select sha256(convert_to(jsonb_build_array(p_run_type, p_platform_key, p_context)::text, 'UTF8'))
$$;
revoke execute on function hq.digest_request from public, anon, authenticated;
comment on function hq.digest_request is 'Empreinte de ce que demande une requête : type, plateforme, contexte.';
