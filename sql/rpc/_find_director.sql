-- Find the agent who signs the reports of a type: the one whose role the registry names, if the host has it.
-- Read-only. An agent who is switched off signs nothing; of several in one role, the first created signs.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing; null where the role, or the type, is unknown.
create or replace function hq.find_director(p_run_type text)
returns uuid
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return (
    select a.id
    from hq.run_types as t
    join hq.agents as a on a.role_key = t.agent_role
    where t.key = p_run_type and a.is_enabled
    order by a.created_at, a.id
    limit 1
  );
end
$$;
revoke execute on function hq.find_director from public, anon, authenticated;
comment on function hq.find_director is 'Agent qui signe les rapports d''un type, si son rôle existe.';
