-- Why: the plan fires by SQL alone. What the registry says of a job and what an operator wants otherwise stand in
--      different columns, so that no migration ever undoes an operator's change.
-- phase: expand
-- Locks: none on existing tables.
-- Undo: drop the three tables; nothing of the host refers to them.
set local lock_timeout = '5s';

create table if not exists hq.scheduled_jobs (
  key              text primary key,
  name             text not null,
  -- The operator's. Empty hours or weekdays: those of the registry.
  enabled          boolean not null default true,
  hours            integer[],
  weekdays         integer[],
  grace_minutes    integer not null default 120,
  -- The registry's, written again by every migration.
  default_hours    integer[] not null,
  default_weekdays integer[] not null,
  run_type         text not null,
  priority         text not null,
  aliases          text[] not null,
  description      text not null,
  registry_version text not null,
  constraint hours_between_0_and_23 check (
    hours <@ '{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23}' and cardinality(hours) > 0
  ),
  constraint weekdays_between_1_monday_and_7_sunday check (
    weekdays <@ '{1,2,3,4,5,6,7}' and cardinality(weekdays) > 0
  ),
  constraint grace_between_1_minute_and_1_day check (grace_minutes between 1 and 1440)
);
comment on table hq.scheduled_jobs is 'Plan des exécutions. À modifier ici, pris en compte à la minute suivante : enabled, hours, weekdays, grace_minutes. Le reste vient du registre.';
comment on column hq.scheduled_jobs.enabled is 'Décocher pour suspendre la tâche.';
comment on column hq.scheduled_jobs.hours is 'Heures voulues, à Paris, par exemple {7} ou {7,14}. Vide : celles du registre (default_hours).';
comment on column hq.scheduled_jobs.weekdays is 'Jours voulus, de 1 (lundi) à 7 (dimanche), par exemple {1,2,3,4,5}. Vide : ceux du registre (default_weekdays).';
comment on column hq.scheduled_jobs.grace_minutes is 'Retard, en minutes, au-delà duquel un créneau manqué n''est plus rattrapé.';

-- One row per slot that came, and what was made of it: the key is what fires a slot once, however many look.
create table if not exists hq.plan_slots (
  job_key    text not null,
  slot_at    timestamptz not null,
  outcome    text check (outcome in ('fired', 'missed', 'skipped', 'refused')),
  reason     text,
  run_id     uuid references hq.runs (id) on delete set null,
  decided_at timestamptz,
  primary key (job_key, slot_at)
);
create index if not exists plan_slots_undecided on hq.plan_slots (slot_at) where outcome is null;
create index if not exists plan_slots_run on hq.plan_slots (run_id) where run_id is not null;
comment on table hq.plan_slots is 'Créneaux passés du plan. outcome : fired (lancé), missed (manqué de trop loin), skipped (retenu : pause, urgence, budget), refused (demande refusée) ; vide : sera retenté.';

-- Up to where the plan was looked at. Its row is also the lock of whoever looks: the others go on.
create table if not exists hq.plan_clock (
  is_only      boolean primary key default true check (is_only),
  passed_until timestamptz not null
);
insert into hq.plan_clock (passed_until) values (now()) on conflict do nothing;
comment on table hq.plan_clock is 'Instant jusqu''auquel les créneaux du plan ont été examinés (une seule ligne).';

alter table hq.scheduled_jobs enable row level security;
alter table hq.plan_slots enable row level security;
alter table hq.plan_clock enable row level security;
revoke all on hq.scheduled_jobs, hq.plan_slots, hq.plan_clock from public, anon, authenticated, service_role;

comment on table hq.run_requests is 'Demandes d''exécution : qui, pourquoi, avec quel contexte. requester vaut l''identifiant de l''utilisateur, « service », « sql » ou « plan ».';
