-- Make an id that begins with the time, UUID version 7: what is written now stands side by side in every index, instead
-- of anywhere in all that was ever written.
-- 74 of its bits are random: nobody guesses one.
-- Raises nothing.
create or replace function hq.make_id()
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_bytes bytea := uuid_send(gen_random_uuid());
begin
  -- 48 bits of milliseconds, then the version; the variant is that of any UUID.
  v_bytes := overlay(
    v_bytes placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1
  );
  return encode(set_byte(v_bytes, 6, get_byte(v_bytes, 6) & 15 | 112), 'hex')::uuid;
end
$$;
revoke execute on function hq.make_id from public, anon, authenticated;
comment on function hq.make_id is 'Un identifiant qui commence par l''heure (UUID version 7).';
