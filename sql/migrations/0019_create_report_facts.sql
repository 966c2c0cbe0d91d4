-- Why: a report states what changed since the one before, a day, a week or a month ago; for that the figures that
--      reports were written from are kept, each as long as it holds: a value that did not change writes no row.
-- phase: expand
-- Locks: none on existing tables beyond the foreign key's brief share row exclusive on hq.runs.
-- Undo: drop the table; nothing of the host refers to it.
set local lock_timeout = '5s';

create table if not exists hq.report_facts (
  run_id  uuid not null references hq.runs (id) on delete cascade,
  name    text not null,
  subject text not null default '',
  unit    text not null,
  source  text not null,
  scope   text not null default '',
  value   numeric not null,
  since   timestamptz not null,
  seen_at timestamptz not null,
  primary key (run_id, name, subject, unit)
);
-- By series; seen_at is in no index, so that moving it costs none.
create index if not exists report_facts_series on hq.report_facts (source, name, subject, unit, since desc);
create index if not exists report_facts_age on hq.report_facts (since);
alter table hq.report_facts set (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
);
comment on table hq.report_facts is 'Chiffres dont les rapports sont partis, une ligne par valeur : '
  'une valeur inchangée déplace seen_at de sa ligne. Gardés 400 jours.';
comment on column hq.report_facts.run_id is 'L''exécution qui a vu cette valeur la première.';
comment on column hq.report_facts.subject is 'Clé d''une plateforme ; vide : toute l''entreprise.';
comment on column hq.report_facts.scope is 'Empreinte de l''ensemble de plateformes '
  'sur lequel la valeur est comptée ; vide : elle n''en dépend pas.';
comment on column hq.report_facts.since is 'Premier instant où cette valeur a été vue.';
comment on column hq.report_facts.seen_at is 'Dernier instant où elle a été vue, à une minute près.';
alter table hq.report_facts enable row level security;
revoke all on hq.report_facts from public, anon, authenticated, service_role;
