-- Why: a run request must survive whatever dies, so it lives in tables: a hot queue, a cold request, the bill.
-- phase: expand
-- Locks: none on existing tables beyond the foreign keys' brief share row exclusive on hq.runs.
-- Undo: drop the tables below; nothing of the host refers to them.
set local lock_timeout = '5s';

-- Mirror of the registry, so that SQL can validate, price and name a run type. Written by `emocare migrate`.
create table if not exists hq.run_types (
  key               text primary key,
  label             text not null,
  agent             text not null,
  agent_role        text not null,
  model             text not null,
  cost_eur          numeric(10, 4) not null check (cost_eur >= 0),
  risk              hq.risk_level not null,
  requires_approval boolean not null,
  auto_executable   boolean not null,
  allowed_triggers  text[] not null,
  registry_version  text not null
);
comment on table hq.run_types is 'Types d''exécution connus (miroir du registre, écrit par « emocare migrate » : ne pas modifier à la main).';

-- Every claim takes the next number, whatever the run: a token can therefore never come back,
-- not even when a finished run is put back in the queue.
create sequence if not exists hq.lease_tokens;

-- Hot: one row per unfinished run, gone when it is settled. Its foreign key is deferred because the row is
-- written before its run: the unique dedupe_key decides which of several racing requests makes the run.
create table if not exists hq.run_queue (
  run_id       uuid primary key references hq.runs (id) on delete cascade deferrable initially deferred,
  run_type     text not null,
  platform_key text,
  dedupe_key   text unique,
  run_at       timestamptz not null default now(),
  priority     integer not null default 0,
  attempt      integer not null default 0 check (attempt >= 0),
  max_attempts integer not null default 3 check (max_attempts >= 1),
  lease_token  bigint not null default 0,
  worker_id    text,
  leased_until timestamptz,
  check ((worker_id is null) = (leased_until is null))
) with (
  -- Room for the updates of a lease on the same page, and vacuum long before the table is mostly dead rows.
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200,
  autovacuum_vacuum_cost_delay = 0
);
create index if not exists run_queue_waiting on hq.run_queue (priority desc, run_at) where worker_id is null;
-- Not on leased_until: a renewal then touches no index and stays on its page.
create index if not exists run_queue_leased on hq.run_queue (worker_id) where worker_id is not null;
comment on table hq.run_queue is 'File d''attente : une ligne par exécution non terminée. attempt compte les échecs et les baux perdus ; lease_token est le jeton de garde du dernier preneur.';

-- Cold: one row per run, kept with it.
create table if not exists hq.run_requests (
  run_id          uuid primary key references hq.runs (id) on delete cascade deferrable initially deferred,
  requester       text not null,
  trigger         text not null,
  context         jsonb not null default '{}',
  idempotency_key text,
  forced          boolean not null default false,
  settled_token   bigint,
  created_at      timestamptz not null default now()
);
create index if not exists run_requests_requester on hq.run_requests (requester, created_at desc);
comment on table hq.run_requests is 'Demandes d''exécution : qui, pourquoi, avec quel contexte. requester vaut l''identifiant de l''utilisateur, « service » ou « sql ».';
comment on column hq.run_requests.settled_token is 'Lease token of the settlement, so that a settlement repeated after a lost answer is recognised.';

-- Several keys may lead to one run: a request that joins a run in flight has a key of its own to replay.
create table if not exists hq.request_keys (
  requester       text not null,
  idempotency_key text not null,
  run_id          uuid not null references hq.runs (id) on delete cascade deferrable initially deferred,
  created_at      timestamptz not null default now(),
  primary key (requester, idempotency_key)
);
create index if not exists request_keys_run on hq.request_keys (run_id);
comment on table hq.request_keys is 'Clés d''idempotence : rejouer une clé rend toujours la même exécution.';

-- The bill outlives the run it was for.
create table if not exists hq.run_costs (
  id               bigint generated always as identity primary key,
  run_id           uuid references hq.runs (id) on delete set null,
  lease_token      bigint not null,
  run_type         text not null,
  platform_key     text,
  model            text not null,
  calls            integer not null,
  tokens_in        bigint not null default 0,
  tokens_out       bigint not null default 0,
  tokens_cached    bigint not null default 0,
  tokens_reasoning bigint not null default 0,
  cost_eur         numeric(12, 6) not null check (cost_eur >= 0),
  estimated        boolean not null,
  created_at       timestamptz not null default now(),
  unique (run_id, lease_token)
);
create index if not exists run_costs_created on hq.run_costs (created_at desc);
comment on table hq.run_costs is 'Coût réel de chaque tentative facturée (une ligne par exécution et par bail).';

create table if not exists hq.worker_heartbeats (
  worker_id   text primary key,
  version     text not null,
  concurrency integer not null,
  running     integer not null,
  realtime    text not null,
  started_at  timestamptz not null,
  seen_at     timestamptz not null default now()
);
comment on table hq.worker_heartbeats is 'Ouvriers vus récemment, leur charge et l''état de leur abonnement Realtime.';

-- Nobody reaches these tables but through our functions; row security is the second lock on the same door.
alter table hq.run_types enable row level security;
alter table hq.run_queue enable row level security;
alter table hq.run_requests enable row level security;
alter table hq.request_keys enable row level security;
alter table hq.run_costs enable row level security;
alter table hq.worker_heartbeats enable row level security;
revoke all on hq.run_types, hq.run_queue, hq.run_requests, hq.request_keys, hq.run_costs, hq.worker_heartbeats
  from public, anon, authenticated, service_role;
revoke all on sequence hq.lease_tokens, hq.run_costs_id_seq from public, anon, authenticated, service_role;

-- "Did this same request just end?" is asked by every new request. Built in place: hq.runs is a few thousand rows.
-- squawk-ignore require-concurrent-index-creation
create index if not exists runs_completed on hq.runs (completed_at desc) where completed_at is not null;
