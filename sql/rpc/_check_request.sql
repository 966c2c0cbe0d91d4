-- Refuse a request that could never become a good run, each fault with its own code and what to do.
-- Read-only.
-- Raises HQ001 trigger not allowed, HQ002 unknown type, HQ003 unknown platform, HQ005 too large.
create or replace function hq.check_request(
  p_run_type text, p_platform_key text, p_context jsonb, p_trigger text, p_idempotency_key text
)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_allowed text[];
begin
  select t.allowed_triggers into v_allowed from hq.run_types as t where t.key = p_run_type;
  if not found then
    raise exception using
      errcode = 'HQ002',
      message = format('Le type d''exécution « %s » n''existe pas.', left(p_run_type, 80)),
      hint = 'Les types connus : select key, label from hq.run_types order by key;';
  elsif not p_trigger = any (v_allowed) then
    raise exception using
      errcode = 'HQ001',
      message = format('%s ne peut pas être lancé par « %s ».', p_run_type, left(p_trigger, 40)),
      hint = format('Déclencheurs permis : %s.', array_to_string(v_allowed, ', '));
  elsif p_platform_key is not null
    and not exists (select from hq.platforms as p where p.key = p_platform_key) then
    raise exception using
      errcode = 'HQ003',
      message = format('La plateforme « %s » n''est pas connue du QG.', left(p_platform_key, 80)),
      hint = 'Les plateformes connues : select key, name from hq.platforms order by key;';
  elsif octet_length(p_context::text) > 32768 then
    raise exception using
      errcode = 'HQ005',
      message = 'Le contexte fourni est trop volumineux (32 Kio au plus).',
      hint = 'Raccourcissez p_context.';
  elsif hq.is_unreadable(p_context) then
    raise exception using
      errcode = 'HQ005',
      message = 'Le contexte fourni est trop imbriqué, ou contient un nombre trop long.',
      hint = 'Dans p_context : 32 niveaux au plus, et des nombres de moins de mille chiffres.';
  elsif octet_length(p_idempotency_key) > 200 then
    raise exception using
      errcode = 'HQ005',
      message = 'La clé d''idempotence est trop longue (200 octets au plus).',
      hint = 'Raccourcissez p_idempotency_key : un UUID, par exemple.';
  end if;
end
$$;
revoke execute on function hq.check_request from public, anon, authenticated;
comment on function hq.check_request is 'Vérifie une demande d''exécution avant toute dépense.';
