-- Sum up what a run has billed so far, over all its leases, to a millionth of a euro; 0 where nothing was billed.
-- Read-only. In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.run_cost(p_run_id uuid)
returns numeric
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return (select coalesce(round(sum(c.cost_eur), 6), 0) from hq.run_costs as c where c.run_id = p_run_id);
end
$$;
revoke execute on function hq.run_cost from public, anon, authenticated;
comment on function hq.run_cost is 'Coût réel d''une exécution, tous baux confondus.';
