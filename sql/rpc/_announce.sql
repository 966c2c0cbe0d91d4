-- Announce something to the open pages, once per key: 'run_failed', 'approval_required' or 'budget_reached'.
-- Anybody who has the page's public key can read, and forge, what is sent there: so these are constants, and nothing of
-- a run, a platform, a person or an amount. A worker sends it within seconds, see take_hq_announcements.
-- Part of the caller's transaction: what is announced is true, or was never announced. Idempotent by the key.
-- Raises 22023 for a kind that has no sentence.
create or replace function hq.announce(p_key text, p_kind text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_event text;
  v_payload jsonb;
begin
  select c.event, c.payload into v_event, v_payload
  from (values
    (
      'run_failed',
      'alert',
      '{"message": "Une exécution a échoué. Son historique dit pourquoi et que faire.", "urgency": "high"}'::jsonb
    ),
    (
      'approval_required',
      'approval_required',
      '{"title": "Une action attend votre approbation.", "risk_level": "high"}'
    ),
    (
      'budget_reached',
      'alert',
      '{"message": "Le budget IA du mois a atteint son seuil d''alerte.", "urgency": "high"}'
    )
  ) as c (kind, event, payload)
  where c.kind = p_kind;
  if not found then
    raise exception using errcode = '22023', message = format('No announcement %L.', p_kind);
  end if;
  insert into hq.announcements (key, event, payload)
  values (p_key, v_event, v_payload)
  on conflict (key) do nothing;
end
$$;
revoke execute on function hq.announce from public, anon, authenticated;
comment on function hq.announce is 'Fait annoncer une constante aux écrans ouverts, une fois par clé.';
