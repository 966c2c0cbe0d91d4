-- Ask for a run from the SQL editor: select * from hq.request_run('DAILY_EXECUTIVE_BRIEF', 'emotionscare');
-- Idempotent as public.request_hq_run_v2, which does the work; refused to the API roles, who have that one. A pause
-- is named in the reason, for the person who reads it.
-- Raises what request_hq_run_v2 raises.
create or replace function hq.request_run(p_run_type text, p_platform_key text default null)
returns table (run_id uuid, status text, created boolean, reason text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
    select r.run_id, r.status, r.created, concat(r.reason, case when r.is_paused then ', paused' end)
    from public.request_hq_run_v2(p_run_type, p_platform_key) as r;
end
$$;
revoke execute on function hq.request_run from public, anon, authenticated;
comment on function hq.request_run is 'Demande une exécution depuis l''éditeur SQL.';
