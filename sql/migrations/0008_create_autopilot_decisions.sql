-- Why: what the autopilot decides must be one row, whoever asks and however many ask at once, and stay readable.
-- phase: expand
-- Locks: brief, on hq.run_types and hq.run_requests (ours); share on hq.actions while its small index is built.
-- Undo: drop the view, the table, the two indexes and the column below; nothing of the host refers to them.
set local lock_timeout = '5s';

alter table hq.run_types add column if not exists autopilot_default boolean not null default false;
comment on column hq.run_types.autopilot_default is 'In the autopilot''s list as long as the presidency has not chosen another.';

create table if not exists hq.autopilot_decisions (
  id                    bigint generated always as identity primary key,
  state                 text not null default 'deciding' check (state in ('deciding', 'decided', 'abandoned')),
  asked_by              text not null,
  began_at              timestamptz not null default now(),
  leased_until          timestamptz not null,
  decided_at            timestamptz,
  known_signals         text[] not null default '{}',
  model_asked           boolean not null default false,
  decided_by            text check (decided_by in ('rules', 'model')),
  reasoning             text,
  next_check_in_minutes integer,
  jobs_to_run           text[] not null default '{}',
  run_ids               uuid[] not null default '{}',
  skipped               text[] not null default '{}',
  model                 text,
  cost_eur              numeric(12, 6),
  journalled            boolean not null default false
);
-- One at a time, whatever else goes wrong.
create unique index if not exists autopilot_decisions_one on hq.autopilot_decisions (state) where state = 'deciding';
create index if not exists autopilot_decisions_began on hq.autopilot_decisions (began_at desc);
comment on table hq.autopilot_decisions is 'Décisions de l''autopilote. À lire dans la vue hq.autopilot_journal.';
comment on column hq.autopilot_decisions.known_signals is 'What the model was already told of, as far as it still holds: it is asked only when something is not among it.';

alter table hq.autopilot_decisions enable row level security;
revoke all on hq.autopilot_decisions from public, anon, authenticated, service_role;
revoke all on sequence hq.autopilot_decisions_id_seq from public, anon, authenticated, service_role;

create or replace view hq.autopilot_journal with (security_invoker = true) as
select
  d.id as decision,
  to_char(coalesce(d.decided_at, d.began_at) at time zone 'Europe/Paris', 'YYYY-MM-DD HH24:MI') as heure_de_paris,
  case d.state when 'decided' then d.decided_by when 'deciding' then 'en cours' else 'abandonnée' end as decide_par,
  d.asked_by as demandee_par,
  d.jobs_to_run as lancees,
  d.skipped as ecartees,
  d.reasoning as raison,
  coalesce(d.cost_eur, 0) as cout_eur,
  d.run_ids as executions
from hq.autopilot_decisions as d
order by d.id desc;
comment on view hq.autopilot_journal is 'Journal de l''autopilote, du plus récent au plus ancien : ce qui a été décidé, par qui, pourquoi, à quel coût.';
revoke all on hq.autopilot_journal from public, anon, authenticated, service_role;

-- How many runs the autopilot started today is asked at every decision.
-- squawk-ignore require-concurrent-index-creation
create index if not exists run_requests_autopilot on hq.run_requests (created_at) where trigger = 'autopilot';

-- A run proposes one action at most. Built in place: hq.actions is a short list, and none of its rows has this type.
-- squawk-ignore require-concurrent-index-creation
create unique index if not exists actions_proposed_by_run on hq.actions (run_id) where action_type = 'run_approval';
