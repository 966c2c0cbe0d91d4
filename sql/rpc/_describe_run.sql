-- Describe a run to somebody whose request it answers: its status, and what differs from what was asked.
-- Read-only.
-- Raises nothing.
create or replace function hq.describe_run(
  p_run_id uuid, p_run_type text, p_platform_key text, p_context jsonb
)
returns table (run_id uuid, status text, difference text)
language sql
stable
security definer
set search_path = ''
as $$
  select
    r.id,
    r.status::text,
    concat(
      case when r.run_type <> p_run_type then ', other run_type' end,
      case when r.platform_key is distinct from p_platform_key then ', other platform_key' end,
      case when p_context <> '{}' and q.context <> p_context then ', other context' end
    )
  from hq.runs as r
  left join hq.run_requests as q on q.run_id = r.id
  where r.id = p_run_id
$$;
revoke execute on function hq.describe_run from public, anon, authenticated;
comment on function hq.describe_run is 'Statut d''une exécution et ce qui la distingue d''une demande.';
