-- Find the agent who signs the reports of a type: the one whose role the registry names, if the host has it.
-- Read-only. Who is switched off signs nothing; of several in one role, the first that was made.
-- Raises nothing; null where the role, or the type, is unknown.
create or replace function hq.find_director(p_run_type text)
returns uuid
language sql
stable
security definer
set search_path = ''
as $$
  select a.id
  from hq.run_types as t
  join hq.agents as a on a.role_key = t.agent_role
  where t.key = p_run_type and a.is_enabled
  order by a.created_at, a.id
  limit 1
$$;
revoke execute on function hq.find_director from public, anon, authenticated;
comment on function hq.find_director is 'Agent qui signe les rapports d''un type, si son rôle existe.';
