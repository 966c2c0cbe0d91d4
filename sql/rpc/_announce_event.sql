-- Announce something, once per key: to open pages as a constant, where its kind has one; by channels and to devices as
-- a message about p_details.
-- Anybody who has the page's public key can read, and forge, what is sent to open pages: so these are constants, and
-- nothing of a run, a platform, a person or an amount. A worker sends them within seconds, see
-- take_hq_announcements_v2; the messages, see claim_hq_deliveries.
-- Part of the caller's transaction: what is announced is true, or was never announced. Idempotent by the key.
-- Raises 22023 for a kind that has no sentence.
create or replace function hq.announce_event(p_key text, p_kind text, p_details jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into hq.announcements (key, event, payload, kind, details)
  select p_key, c.event, c.payload, case when c.has_message then c.kind end, p_details
  from (values
    (
      'run_failed',
      'alert',
      '{"message": "Une exécution a échoué. Son historique dit pourquoi et que faire.", "urgency": "high"}'::jsonb,
      true
    ),
    (
      'approval_required',
      'approval_required',
      '{"title": "Une action attend votre approbation.", "risk_level": "high"}',
      -- Whoever asked for the report sees it end; what nobody approves within a day gets a message.
      false
    ),
    (
      'budget_reached',
      'alert',
      '{"message": "Le budget IA du mois a atteint son seuil d''alerte.", "urgency": "high"}',
      true
    ),
    ('incident_opened', null, null, true),
    ('incident_closed', null, null, true),
    ('stale_approvals', null, null, true),
    ('morning_brief', null, null, true)
  ) as c (kind, event, payload, has_message)
  where c.kind = p_kind
  on conflict (key) do nothing;
  if not found and not exists (select from hq.announcements as a where a.key = p_key) then
    raise exception using errcode = '22023', message = format('No announcement %L.', p_kind);
  end if;
end
$$;
revoke execute on function hq.announce_event from public, anon, authenticated;
comment on function hq.announce_event is 'Annonce un événement, une fois par clé : '
  'aux écrans ouverts, par les canaux et aux appareils.';
