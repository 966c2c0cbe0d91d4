-- Refuse an idempotency key that was used for something else: it would return another request's run.
-- Read-only. A key of an earlier release kept no digest: its run's type and platform are compared instead.
-- Raises HQ007.
create or replace function hq.check_key_use(
  p_requester text, p_idempotency_key text, p_run_type text, p_platform_key text, p_asked bytea
)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_used record;
begin
  select r.run_type, r.platform_key into v_used
  from hq.request_keys as k
  join hq.runs as r on r.id = k.run_id
  where k.requester = p_requester and k.idempotency_key = p_idempotency_key
    and case
      when k.asked is null then r.run_type <> p_run_type or r.platform_key is distinct from p_platform_key
      else k.asked <> p_asked
    end;
  if found then
    raise exception using
      errcode = 'HQ007',
      message = format(
        'Cette clé d''idempotence a déjà servi à une autre demande (%s). Relancez avec une nouvelle clé.',
        concat_ws(', ', left(v_used.run_type, 80), left(v_used.platform_key, 80))
      ),
      hint = 'Une clé par demande : rejouée, elle doit venir avec le même type, la même plateforme, le même contexte.';
  end if;
end
$$;
revoke execute on function hq.check_key_use from public, anon, authenticated;
comment on function hq.check_key_use is 'Refuse une clé d''idempotence qui a servi à une autre demande.';
