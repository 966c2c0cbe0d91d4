-- Return where the HTTP request that PostgREST is answering stands in a trace: its header traceparent, if it is one of
-- W3C Trace Context, version 00; null for anything else, and outside of PostgREST.
-- Read-only.
-- Raises nothing.
create or replace function hq.read_traceparent()
returns text
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_headers constant text := current_setting('request.headers', true);
begin
  -- Hardly any request is traced: no JSON is parsed for the others.
  if v_headers is null or position('"traceparent"' in v_headers) = 0 then
    return null;
  end if;
  return substring(
    v_headers::json ->> 'traceparent' from '^(00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})$'
  );
-- All of class 22, a NUL or half a character among them; and JSON too deep to be read.
exception when data_exception or statement_too_complex then
  return null;
end
$$;
revoke execute on function hq.read_traceparent from public, anon, authenticated;
comment on function hq.read_traceparent is 'Où la requête HTTP en cours se situe dans une trace, si elle est tracée.';
