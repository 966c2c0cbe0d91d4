-- Why: what must reach a person must not depend on an open page: announcements also leave by channels (e-mail, chats)
--      and to devices (Web Push), and each way out needs its own state, or a dead one would cost the others theirs.
-- phase: expand
-- Locks: access exclusive on hq.announcements (ours) for a moment: no column is written into existing rows.
--        Rows without an event are handed to nobody who does not know them: take_hq_announcements leaves them out.
-- Undo: drop the two tables and the columns; announcements are broadcast as before.
set local lock_timeout = '5s';

alter table hq.announcements
  add column if not exists kind text,
  add column if not exists details jsonb not null default '{}',
  add column if not exists due_at timestamptz not null default now(),
  add column if not exists withdrawn_at timestamptz,
  add column if not exists burst_at timestamptz,
  add column if not exists message_key text,
  add column if not exists message_due_at timestamptz,
  add column if not exists fanned_out_at timestamptz,
  -- squawk-ignore ban-drop-not-null
  alter column event drop not null,
  -- squawk-ignore ban-drop-not-null
  alter column payload drop not null;
comment on table hq.announcements is
  'Ce qui s''annonce, une seule fois par clé : aux écrans ouverts, des constantes (event, payload) ; par les canaux et '
  'les appareils, un message (kind, details). Écrites par hq.announce_event, envoyées par les ouvriers.';
comment on column hq.announcements.event is 'Vide : rien n''est diffusé aux écrans ouverts.';
comment on column hq.announcements.kind is 'Vide : rien ne part par les canaux ni vers les appareils.';
comment on column hq.announcements.details is 'De quoi le message parle ; ne va jamais aux écrans ouverts.';
comment on column hq.announcements.due_at is 'Rien ne part avant.';
comment on column hq.announcements.withdrawn_at is 'Retirée avant d''être due : la personne a eu sa réponse.';
comment on column hq.announcements.burst_at is 'Début de la rafale de même sorte dont elle fait partie.';
comment on column hq.announcements.message_key is
  'L''annonce dont le message dit celle-ci : elle-même, ou la onzième de sa rafale, qui les résume.';
comment on column hq.announcements.fanned_out_at is 'Quand son message a été réparti entre les destinations.';
-- squawk-ignore require-concurrent-index-creation
create index if not exists announcements_by_message on hq.announcements (message_key);
-- squawk-ignore require-concurrent-index-creation
create index if not exists announcements_unplanned on hq.announcements (created_at)
  where kind is not null and message_key is null and withdrawn_at is null;
-- squawk-ignore require-concurrent-index-creation
create index if not exists announcements_not_fanned_out on hq.announcements (message_due_at)
  where message_key is not null and fanned_out_at is null;

create table if not exists hq.delivery_targets (
  target      text primary key,
  kind        text not null check (kind in ('channel', 'device')),
  label       text not null,
  since       timestamptz not null,
  seen_at     timestamptz not null default now(),
  failures    integer not null default 0,
  held_until  timestamptz,
  accepted_at timestamptz,
  failed_at   timestamptz,
  failure     text
);
comment on table hq.delivery_targets is
  'Destinations des messages : canaux de NOTIFY_URLS et appareils des propriétaires, sans aucun secret.';
comment on column hq.delivery_targets.target is 'Empreinte de l''adresse, qui elle-même est un secret.';
comment on column hq.delivery_targets.since is 'Ce qui fut annoncé plus tôt ne lui est pas envoyé.';
comment on column hq.delivery_targets.held_until is 'Après un échec, rien ne lui est envoyé avant.';

create table if not exists hq.deliveries (
  message_key  text not null,
  target       text not null references hq.delivery_targets (target) on delete cascade,
  status       text not null default 'waiting'
    check (status in ('waiting', 'accepted', 'refused', 'gone', 'dropped')),
  attempt      integer not null default 0,
  created_at   timestamptz not null default now(),
  worker_id    text,
  leased_until timestamptz,
  ended_at     timestamptz,
  failure      text,
  primary key (message_key, target)
);
create index if not exists deliveries_waiting on hq.deliveries (target, created_at) where status = 'waiting';
create index if not exists deliveries_by_target on hq.deliveries (target);
comment on table hq.deliveries is
  'Un message pour une destination : accepted (remis), refused (refusé pour de bon), gone (l''appareil n''est plus '
  'abonné), dropped (un jour d''échecs).';

alter table hq.delivery_targets enable row level security;
alter table hq.deliveries enable row level security;
revoke all on hq.delivery_targets, hq.deliveries from public, anon, authenticated, service_role;
