-- Return what the screens show as the summary of a run that has not ended: as long as it is null, the page of a report
-- says that there is none and offers to make one. Without dots, because a dashboard adds them.
-- Pure; the planner replaces it with its value.
-- Raises nothing.
create or replace function hq.progress_summary(p_status hq.run_status)
returns text
language sql
immutable
parallel safe
security definer
set search_path = ''
as $$
  select case p_status when 'pending' then 'En attente' when 'running' then 'Rédaction en cours' end
$$;
revoke execute on function hq.progress_summary from public, anon, authenticated;
comment on function hq.progress_summary is 'Ce que les écrans lisent d''une exécution qui n''est pas terminée.';
