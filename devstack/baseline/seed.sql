-- The HQ database as it stood on 28 February 2026, defects included: they belong to the application that we serve,
-- and nothing of ours may alter them. Applied as `postgres`, who is no superuser and owns everything here.

create schema hq;  -- no USAGE for anybody: the API reaches these tables through functions in schema public only

create type public.app_role as enum (
  'owner', 'admin', 'finance', 'marketing', 'support', 'product', 'engineering', 'viewer'
);
create type hq.run_status as enum ('pending', 'running', 'completed', 'failed', 'cancelled');
create type hq.risk_level as enum ('low', 'medium', 'high', 'critical');

-- Roles and permissions.

create table public.user_roles (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  role public.app_role not null,
  created_at timestamptz not null default now(),
  unique (user_id, role)
);

create table public.role_permissions (
  id uuid primary key default gen_random_uuid(),
  role public.app_role not null,
  resource text not null,
  action text not null,
  created_at timestamptz not null default now(),
  unique (role, resource, action)
);

create function public.has_role(_user_id uuid, _role public.app_role) returns boolean
language sql stable security definer set search_path = public
as $$
  select exists (select from public.user_roles u where u.user_id = _user_id and u.role = _role)
$$;

create function public.is_owner() returns boolean
language sql stable security definer set search_path = public
as $$
  select public.has_role(auth.uid(), 'owner')
$$;

-- Answers for any user, whoever asks; so does the next one.
create function public.has_permission(_user_id uuid, _resource text, _action text) returns boolean
language sql stable security definer set search_path = public
as $$
  select public.has_role(_user_id, 'owner') or exists (
    select
    from public.user_roles u
    join public.role_permissions p on p.role = u.role
    where u.user_id = _user_id and p.resource = _resource and p.action = _action
  )
$$;

create function public.get_user_permissions(_user_id uuid) returns table (resource text, action text)
language sql stable security definer set search_path = public
as $$
  select distinct p.resource, p.action
  from public.role_permissions p
  where public.has_role(_user_id, 'owner') or public.has_role(_user_id, p.role)
$$;

-- Only the words for `admin`, and how many pairs each role has, are known; the others' words are ours.
insert into public.role_permissions (role, resource, action)
select granted.role::public.app_role, split_part(pair, ':', 1), split_part(pair, ':', 2)
from (values
  ('admin', 'dashboard:view dashboard:edit users:view users:edit runs:view runs:create platforms:view'
            ' platforms:edit audit:view approvals:view approvals:decide'),
  ('finance', 'dashboard:view finance:view finance:edit reports:view reports:export runs:view approvals:view'),
  ('marketing', 'dashboard:view marketing:view marketing:edit campaigns:view campaigns:edit runs:view'),
  ('support', 'dashboard:view support:view support:edit platforms:view runs:view'),
  ('product', 'dashboard:view product:view product:edit roadmap:view roadmap:edit platforms:view runs:view'),
  ('engineering', 'dashboard:view engineering:view engineering:edit releases:view releases:edit platforms:view'
                  ' platforms:edit runs:view runs:create'),
  ('viewer', 'dashboard:view platforms:view runs:view')
) granted (role, pairs)
cross join string_to_table(granted.pairs, ' ') pair;

-- Platforms, organisation, agents.

create table hq.platforms (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  name text not null,
  description text,
  github_url text,
  status text not null default 'green' check (status in ('green', 'amber', 'red')),
  status_reason text,
  uptime_percent numeric(5, 2) default 99.9,
  last_release_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table hq.org_roles (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  title text not null,
  title_fr text not null,
  category text not null check (category in ('c_suite', 'function_head', 'platform_gm')),
  description text,
  created_at timestamptz not null default now()
);

create table hq.agents (
  id uuid primary key default gen_random_uuid(),
  role_key text not null references hq.org_roles (key),
  name text not null,
  is_enabled boolean not null default true,
  model_preference text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table hq.agent_scopes (
  id uuid primary key default gen_random_uuid(),
  agent_id uuid not null references hq.agents (id) on delete cascade,
  platform_key text references hq.platforms (key),
  capabilities jsonb not null default '[]',
  created_at timestamptz not null default now()
);

create table hq.system_config (
  id uuid primary key default gen_random_uuid(),
  key text not null unique,
  value jsonb not null,
  updated_at timestamptz not null default now()
);

-- Runs and what hangs on them.

create table hq.runs (
  id uuid primary key default gen_random_uuid(),
  run_type text not null,
  owner_requested boolean not null default false,
  platform_key text references hq.platforms (key),
  director_agent_id uuid references hq.agents (id),
  status hq.run_status not null default 'pending',
  started_at timestamptz,
  completed_at timestamptz,
  executive_summary text,
  detailed_appendix jsonb,
  created_at timestamptz not null default now()
);
create index idx_runs_type_created on hq.runs (run_type, created_at desc);
create index idx_runs_status_created on hq.runs (status, created_at desc);

create table hq.run_steps (
  id uuid primary key default gen_random_uuid(),
  run_id uuid not null references hq.runs (id) on delete cascade,
  step_order integer not null,
  name text not null,
  description text,
  status hq.run_status not null default 'pending',
  output jsonb,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now()
);

create table hq.run_evidence (
  id uuid primary key default gen_random_uuid(),
  run_id uuid not null references hq.runs (id) on delete cascade,
  evidence_type text not null,
  data jsonb not null,
  source_url text,
  created_at timestamptz not null default now()
);

create table hq.actions (
  id uuid primary key default gen_random_uuid(),
  run_id uuid references hq.runs (id),
  agent_id uuid references hq.agents (id),
  action_type text not null,
  title text not null,
  description text,
  payload jsonb,
  risk_level hq.risk_level not null default 'medium',
  requires_approval boolean not null default true,
  status text not null default 'pending'
    check (status in ('pending', 'approved', 'rejected', 'executed', 'cancelled')),
  created_at timestamptz not null default now(),
  executed_at timestamptz
);

create table hq.approvals (
  id uuid primary key default gen_random_uuid(),
  action_id uuid not null references hq.actions (id) on delete cascade,
  owner_id uuid not null references auth.users (id),
  decision text not null check (decision in ('approved', 'rejected')),
  reason text,
  decided_at timestamptz not null default now()
);

create table hq.meeting_summaries (
  id uuid primary key default gen_random_uuid(),
  run_id uuid references hq.runs (id),
  meeting_type text not null,
  title text not null,
  attendees jsonb,
  key_points jsonb,
  decisions jsonb,
  action_items jsonb,
  full_summary text,
  meeting_date timestamptz not null default now(),
  created_at timestamptz not null default now()
);

create table hq.executive_runs_log (
  id uuid primary key default gen_random_uuid(),
  run_id text not null,
  run_type text not null,
  platform_key text,
  executive_summary text,
  model_used text,
  completed_at timestamptz,
  created_at timestamptz default now()
);

create table hq.incidents (
  id uuid primary key default gen_random_uuid(),
  platform_key text not null references hq.platforms (key),
  severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
  title text not null,
  description text,
  status text not null default 'open' check (status in ('open', 'investigating', 'resolved', 'closed')),
  resolved_at timestamptz,
  created_at timestamptz not null default now()
);

create table hq.releases (
  id uuid primary key default gen_random_uuid(),
  platform_key text not null references hq.platforms (key),
  version text not null,
  release_type text not null default 'minor' check (release_type in ('patch', 'minor', 'major')),
  status text not null default 'planned' check (status in ('planned', 'staging', 'released', 'rolled_back')),
  changelog text,
  gate_checks jsonb,
  planned_at timestamptz,
  released_at timestamptz,
  created_at timestamptz not null default now()
);

-- Journals.

create table hq.audit_logs (
  id uuid primary key default gen_random_uuid(),
  actor_type text not null check (actor_type in ('owner', 'agent', 'system')),
  actor_id text,
  action text not null,
  resource_type text,
  resource_id text,
  details jsonb,
  ip_address inet,
  created_at timestamptz not null default now()
);

create table hq.structured_logs (
  id uuid primary key default gen_random_uuid(),
  level text not null default 'info' check (level in ('info', 'warn', 'error', 'critical')),
  source text not null default 'system' check (source in ('edge_function', 'agent', 'system', 'scheduler')),
  message text not null,
  metadata jsonb default '{}',
  run_id uuid references hq.runs (id) on delete set null,
  created_at timestamptz not null default now()
);
create index idx_structured_logs_level_created on hq.structured_logs (level, created_at desc);
create index idx_structured_logs_source on hq.structured_logs (source);
create index idx_structured_logs_run_id on hq.structured_logs (run_id) where run_id is not null;

create table public.contact_messages (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  email text not null,
  phone text,
  subject text not null,
  message text not null,
  ip_address inet,
  created_at timestamptz not null default now()
);

create table public.analytics_events (
  id uuid primary key default gen_random_uuid(),
  event_type text not null,
  page_path text,
  event_name text,
  event_data jsonb default '{}',
  referrer text,
  user_agent text,
  session_id text,
  created_at timestamptz not null default now()
);
create index idx_analytics_events_type_date on public.analytics_events (event_type, created_at desc);
create index idx_analytics_events_page on public.analytics_events (page_path, created_at desc);

-- Business tables that no function and no screen reads or writes; of their columns only these matter to anybody.
do $$
declare
  name text;
begin
  foreach name in array array[
    'company_profile', 'campaigns', 'sales_pipeline', 'financials', 'product_initiatives', 'support_tickets',
    'public_content'
  ]
  loop
    execute format(
      'create table hq.%I (
        id uuid primary key default gen_random_uuid(),
        created_at timestamptz not null default now()
      )',
      name
    );
  end loop;
end
$$;
alter table hq.public_content add column is_published boolean not null default false;

-- Row security.

-- One policy for each table of hq: everything for the owner, nothing for anybody else.
do $$
declare
  name text;
begin
  for name in select tablename from pg_tables where schemaname = 'hq'
  loop
    execute format('alter table hq.%I enable row level security', name);
    execute format(
      'create policy owner_all on hq.%I to %s using (public.is_owner()) with check (public.is_owner())',
      name,
      case name when 'executive_runs_log' then 'public' else 'authenticated' end
    );
  end loop;
end
$$;
create policy anon_reads_published on hq.public_content for select to anon using (is_published);

alter table public.user_roles enable row level security;
create policy own_rows_read on public.user_roles for select to authenticated
  using (user_id = auth.uid() or public.is_owner());

alter table public.role_permissions enable row level security;
create policy own_rows_read on public.role_permissions for select to authenticated
  using (public.has_role(auth.uid(), role) or public.is_owner());

do $$
declare
  name text;
  operation text;
  clause text;
begin
  foreach name in array array['user_roles', 'role_permissions']
  loop
    execute format(
      'create policy owner_all on public.%I to authenticated
         using (public.is_owner()) with check (public.is_owner())',
      name
    );
    execute format('create policy anon_denied on public.%I as restrictive to anon using (false)', name);
    for operation, clause in values ('insert', 'with check'), ('update', 'using'), ('delete', 'using')
    loop
      execute format(
        'create policy %I on public.%I as restrictive for %s to authenticated %s (public.is_owner())',
        'only_owner_' || operation || 's', name, operation, clause
      );
    end loop;
  end loop;
end
$$;

-- Visitors write these through a function with the service key, or directly within limits; the owner reads.
alter table public.contact_messages enable row level security;
create policy owner_reads on public.contact_messages for select to authenticated using (public.is_owner());
create policy owner_updates on public.contact_messages for update to authenticated using (public.is_owner());
create policy owner_deletes on public.contact_messages for delete to authenticated using (public.is_owner());

alter table public.analytics_events enable row level security;
create policy visitors_insert on public.analytics_events for insert to anon, authenticated
  with check (
    length(event_type) <= 64
    and coalesce(length(event_name), 0) <= 128
    and coalesce(length(page_path), 0) <= 512
    and coalesce(length(referrer), 0) <= 1024
    and coalesce(length(user_agent), 0) <= 512
  );
create policy owner_reads on public.analytics_events for select to authenticated using (public.is_owner());
create policy owner_deletes on public.analytics_events for delete to authenticated using (public.is_owner());

-- Functions.

create function hq.update_updated_at() returns trigger
language plpgsql security definer set search_path = public, hq
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

create trigger update_platforms_updated_at before update on hq.platforms
  for each row execute function hq.update_updated_at();
create trigger update_agents_updated_at before update on hq.agents
  for each row execute function hq.update_updated_at();
create trigger update_system_config_updated_at before update on hq.system_config
  for each row execute function hq.update_updated_at();

create function public.get_all_hq_platforms() returns table (
  id uuid, key text, name text, description text, github_url text, status text, status_reason text,
  uptime_percent numeric, last_release_at timestamptz, created_at timestamptz, updated_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    p.id, p.key, p.name, p.description, p.github_url, p.status, p.status_reason, p.uptime_percent,
    p.last_release_at, p.created_at, p.updated_at
  from hq.platforms p
  order by p.name;
end
$$;

create function public.get_hq_platform(platform_key_param text) returns table (
  id uuid, key text, name text, description text, github_url text, status text, status_reason text,
  uptime_percent numeric, last_release_at timestamptz, created_at timestamptz, updated_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  return query select p.* from public.get_all_hq_platforms() p where p.key = platform_key_param;
end
$$;

create function public.get_hq_org_roles() returns table (
  id uuid, key text, title text, title_fr text, category text, description text, created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select o.id, o.key, o.title, o.title_fr, o.category, o.description, o.created_at
  from hq.org_roles o
  order by o.category, o.title_fr;
end
$$;

create function public.get_hq_agents() returns table (
  id uuid, role_key text, name text, is_enabled boolean, model_preference text, created_at timestamptz,
  updated_at timestamptz, role_title_fr text, role_category text
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    a.id, a.role_key, a.name, a.is_enabled, a.model_preference, a.created_at, a.updated_at, o.title_fr, o.category
  from hq.agents a
  join hq.org_roles o on o.key = a.role_key
  order by o.category, a.name;
end
$$;

create function public.get_hq_pending_actions() returns table (
  id uuid, run_id uuid, agent_id uuid, action_type text, title text, description text, payload jsonb,
  risk_level text, requires_approval boolean, status text, created_at timestamptz, executed_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    a.id, a.run_id, a.agent_id, a.action_type, a.title, a.description, a.payload, a.risk_level::text,
    a.requires_approval, a.status, a.created_at, a.executed_at
  from hq.actions a
  where a.status = 'pending' and a.requires_approval
  order by a.created_at desc;
end
$$;

-- No upper bound; null means all rows.
create function public.get_hq_recent_runs(limit_count integer default 10) returns table (
  id uuid, run_type text, owner_requested boolean, platform_key text, director_agent_id uuid, status text,
  started_at timestamptz, completed_at timestamptz, executive_summary text, detailed_appendix jsonb,
  created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    r.id, r.run_type, r.owner_requested, r.platform_key, r.director_agent_id, r.status::text, r.started_at,
    r.completed_at, r.executive_summary, r.detailed_appendix, r.created_at
  from hq.runs r
  order by r.created_at desc
  limit limit_count;
end
$$;

create function public.get_hq_audit_logs(limit_count integer default 50) returns table (
  id uuid, actor_type text, actor_id text, action text, resource_type text, resource_id text, details jsonb,
  ip_address inet, created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select
    a.id, a.actor_type, a.actor_id, a.action, a.resource_type, a.resource_id, a.details, a.ip_address, a.created_at
  from hq.audit_logs a
  order by a.created_at desc
  limit limit_count;
end
$$;

create function public.get_hq_logs(
  limit_count integer default 50, level_filter text default null, source_filter text default null
) returns table (
  id uuid, level text, source text, message text, metadata jsonb, run_id uuid, created_at timestamptz
)
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return query
  select l.id, l.level, l.source, l.message, l.metadata, l.run_id, l.created_at
  from hq.structured_logs l
  where (level_filter is null or l.level = level_filter)
    and (source_filter is null or l.source = source_filter)
  order by l.created_at desc
  limit limit_count;
end
$$;

create function public.get_hq_system_config(config_key text) returns jsonb
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  return (select c.value from hq.system_config c where c.key = config_key);
end
$$;

-- True, and an audit row, even when there is no such key and nothing was written.
create function public.update_hq_system_config(p_key text, p_value jsonb) returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  update hq.system_config set value = p_value where key = p_key;
  insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, details)
  values (
    'owner', auth.uid()::text, 'config.updated', 'system_config', p_key, jsonb_build_object('value', p_value)
  );
  return true;
end
$$;

-- Stamps all three times with now(), whatever the status.
create function public.insert_hq_run(
  p_run_type text,
  p_platform_key text default null,
  p_owner_requested boolean default true,
  p_status text default 'completed',
  p_executive_summary text default null,
  p_detailed_appendix jsonb default null
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  new_id uuid;
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  insert into hq.runs (
    run_type, platform_key, owner_requested, status, executive_summary, detailed_appendix, started_at, completed_at
  )
  values (
    p_run_type, p_platform_key, p_owner_requested, p_status::hq.run_status, p_executive_summary,
    p_detailed_appendix, now(), now()
  )
  returning id into new_id;
  insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, details)
  values (
    'owner', auth.uid()::text, 'run.created', 'run', new_id::text,
    jsonb_build_object('run_type', p_run_type, 'platform_key', p_platform_key, 'status', p_status)
  );
  return new_id;
end
$$;

-- Does not ask whether the action still waits, so a second decision may contradict the first; executes nothing.
create function public.approve_hq_action(p_action_id uuid, p_decision text, p_reason text default null)
returns boolean
language plpgsql security definer set search_path = public, hq
as $$
begin
  if not public.is_owner() then
    raise exception 'Accès non autorisé';
  end if;
  if p_decision not in ('approved', 'rejected') then
    raise exception 'Décision invalide';
  end if;
  update hq.actions set status = p_decision where id = p_action_id;
  insert into hq.approvals (action_id, owner_id, decision, reason)
  values (p_action_id, auth.uid(), p_decision, p_reason);
  insert into hq.audit_logs (actor_type, actor_id, action, resource_type, resource_id, details)
  values (
    'owner', auth.uid()::text, 'action.' || p_decision, 'action', p_action_id::text,
    jsonb_build_object('reason', p_reason)
  );
  return true;
end
$$;

-- No owner check and EXECUTE left to everybody: even anon writes logs.
create function public.insert_hq_log(
  p_level text default 'info',
  p_source text default 'system',
  p_message text default '',
  p_metadata jsonb default '{}',
  p_run_id uuid default null
) returns uuid
language plpgsql security definer set search_path = public, hq
as $$
declare
  new_id uuid;
begin
  insert into hq.structured_logs (level, source, message, metadata, run_id)
  values (p_level, p_source, p_message, p_metadata, p_run_id)
  returning id into new_id;
  return new_id;
end
$$;
