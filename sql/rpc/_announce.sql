-- Announce something without details, once per key.
-- Part of the caller's transaction. Idempotent by the key.
-- Raises 22023 for a kind that has no sentence.
create or replace function hq.announce(p_key text, p_kind text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform hq.announce_event(p_key, p_kind, '{}');
end
$$;
revoke execute on function hq.announce from public, anon, authenticated;
comment on function hq.announce is 'Annonce un événement sans détails, une fois par clé.';
