-- What the host's later migrations, up to 3 May 2026, add to seed.sql or change in it. Applied as `postgres`.
-- Left out, because no run, log or screen that we serve touches it: the studio module, which is 8 tables of hq,
-- 17 functions in public, and the configuration key `studio_approval_gates`.

-- What exists already, changed.

create index idx_structured_logs_source_created on hq.structured_logs (source, created_at desc);

alter table hq.structured_logs drop constraint structured_logs_source_check;
alter table hq.structured_logs add constraint structured_logs_source_check check (
  source in (
    'edge_function', 'agent', 'system', 'scheduler', 'executive-run', 'autopilot', 'platform-monitor',
    'push-triggers', 'budget-monitor'
  )
);

alter table public.contact_messages add column read_at timestamptz;

alter publication supabase_realtime add table hq.runs;

-- Append-only for the API roles, who cannot get here anyway; not for the owner of the table.
revoke update, delete on hq.audit_logs from public, anon, authenticated, service_role;
create policy no_update on hq.audit_logs as restrictive for update to anon, authenticated using (false);
create policy no_delete on hq.audit_logs as restrictive for delete to anon, authenticated using (false);

-- Organisations: prepared, but no function on runs or logs looks at them.

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  slug text not null unique,
  name text not null,
  plan text not null default 'free',
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.organization_members (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid not null,
  role text not null default 'member' check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  unique (organization_id, user_id)
);
create index idx_org_members_user on public.organization_members (user_id);
create index idx_org_members_org on public.organization_members (organization_id);

alter table hq.runs add column organization_id uuid references public.organizations (id);
alter table hq.audit_logs add column organization_id uuid references public.organizations (id);
create index idx_hq_runs_org on hq.runs (organization_id);

-- The president's journal, conversations, brief and devices.

create table hq.journal_entries (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  entry_type text not null default 'decision'
    check (entry_type in ('decision', 'note', 'milestone', 'reflection')),
  title text not null,
  content text not null default '',
  tags text[] default '{}',
  linked_kpis jsonb default '[]',
  impact_measured jsonb,
  is_pinned boolean default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  organization_id uuid references public.organizations (id)
);

create table hq.conversations (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  title text not null default 'Nouvelle conversation',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  organization_id uuid references public.organizations (id)
);
create index idx_conversations_user_id on hq.conversations (user_id);
create index idx_conversations_updated_at on hq.conversations (updated_at desc);

create table hq.chat_messages (
  id uuid primary key default gen_random_uuid(),
  conversation_id uuid not null references hq.conversations (id) on delete cascade,
  role text not null check (role in ('user', 'assistant')),
  content text not null,
  created_at timestamptz not null default now()
);
create index idx_chat_messages_conversation_id on hq.chat_messages (conversation_id);

create table hq.morning_digests (
  id uuid primary key default gen_random_uuid(),
  digest_date date not null default current_date unique,
  executive_summary text not null,
  sections jsonb not null default '{}',
  data_sources text[] not null default '{}',
  model_used text,
  generation_duration_ms integer,
  triggered_by text not null default 'scheduler',
  created_at timestamptz not null default now()
);

create table hq.push_subscriptions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  endpoint text not null,
  p256dh text not null,
  auth_key text not null,
  user_agent text,
  device_label text default 'Appareil',
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  last_used_at timestamptz default now(),
  unique (user_id, endpoint)
);

-- Operations.

create table hq.runs_dlq (
  id uuid primary key default gen_random_uuid(),
  original_run_id uuid not null,
  run_type text not null,
  platform_key text,
  payload jsonb not null default '{}',
  failure_reason text,
  attempts integer not null default 0,
  max_attempts integer not null default 3,
  next_retry_at timestamptz not null default now(),
  status text not null default 'pending' check (status in ('pending', 'in_progress', 'recovered', 'abandoned')),
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  resolved_at timestamptz
);
create index idx_runs_dlq_pending on hq.runs_dlq (next_retry_at) where status = 'pending';
create index idx_runs_dlq_status on hq.runs_dlq (status, created_at desc);

create table hq.slo_targets (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  name text not null,
  description text,
  target_pct numeric not null check (target_pct > 0 and target_pct <= 100),
  window_days integer not null default 7 check (window_days > 0),
  unit text not null default 'percent',
  threshold_ms integer,
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.rate_limit_buckets (
  id uuid primary key default gen_random_uuid(),
  bucket_key text not null,
  count integer not null default 1,
  window_start timestamptz not null default now(),
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  unique (bucket_key, window_start)
);
create index idx_rate_limit_key on public.rate_limit_buckets (bucket_key);
create index idx_rate_limit_expires on public.rate_limit_buckets (expires_at);

create table public.client_error_logs (
  id uuid primary key default gen_random_uuid(),
  error_type text not null
    check (error_type in ('chunk_load', 'service_worker', 'react_render', 'unhandled_rejection', 'boot')),
  message text not null check (length(message) <= 1000),
  page_path text check (length(page_path) <= 500),
  build_version text,
  has_service_worker boolean default false,
  in_iframe boolean default false,
  user_agent text check (length(user_agent) <= 500),
  session_id text,
  created_at timestamptz not null default now()
);
create index client_error_logs_created_at_idx on public.client_error_logs (created_at desc);
create index client_error_logs_type_idx on public.client_error_logs (error_type, created_at desc);

-- Rows.

insert into public.organizations (slug, name, plan) values ('emotionscare-hq', 'EMOTIONSCARE HQ', 'enterprise');

insert into hq.system_config (key, value)
values (
  'ai_budget',
  '{"monthly_target_eur": 200, "alert_threshold_pct": 80, "daily_indicative_eur": 15, "alerts_enabled": true,
    "last_alert_sent_at": null}'
);

insert into hq.slo_targets (key, name, target_pct, unit, threshold_ms)
values
  ('uptime_api', 'Disponibilité de l''API', 99.5, 'percent', null),
  ('p95_run_duration', 'Durée des runs (p95)', 95, 'ms', 30000),
  ('run_success_rate', 'Taux de réussite des runs', 95, 'percent', null),
  ('data_freshness', 'Fraîcheur des données', 99, 'percent', null);

insert into hq.audit_logs (actor_type, actor_id, action, resource_type)
select 'system', 'migration', action, 'schema'
from unnest(array['security.hardened', 'audit.append_only', 'schema.migrated', 'studio.installed']) action;

insert into storage.buckets (id, name, public, file_size_limit)
values ('architecture-approvals', 'architecture-approvals', false, 50 * 1024 * 1024);

-- Row security. None on conversations, chat_messages, morning_digests and push_subscriptions: only the missing
-- USAGE on schema hq keeps people out of them.

do $$
declare
  name text;
begin
  foreach name in array array[
    'hq.journal_entries', 'hq.runs_dlq', 'hq.slo_targets', 'public.organizations', 'public.organization_members',
    'public.rate_limit_buckets'
  ]
  loop
    execute format('alter table %s enable row level security', name);
    execute format(
      'create policy owner_all on %s to authenticated using (public.is_owner()) with check (public.is_owner())',
      name
    );
  end loop;
  foreach name in array array['hq.runs_dlq', 'hq.slo_targets']
  loop
    execute format('create policy owner_reads on %s for select to authenticated using (public.is_owner())', name);
  end loop;
  foreach name in array array['public.organizations', 'public.organization_members']
  loop
    execute format('create policy anon_denied on %s as restrictive to anon using (false)', name);
  end loop;
end
$$;

create policy members_read on public.organization_members for select to authenticated using (user_id = auth.uid());
create policy members_read on public.organizations for select to authenticated using (
  exists (
    select from public.organization_members m
    where m.organization_id = organizations.id and m.user_id = auth.uid()
  )
);

alter table public.client_error_logs enable row level security;
create policy visitors_insert on public.client_error_logs for insert to anon, authenticated with check (true);
create policy owner_reads on public.client_error_logs for select to authenticated using (public.is_owner());
