-- Warn, once a month of Paris, that the budget has reached its threshold: in the journal and on the open pages.
-- Part of the caller's transaction. Idempotent; two callers at the very same moment may journal it twice, never say it twice.
-- Raises nothing.
create or replace function hq.warn_of_budget()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_budget record;
  v_key text := 'budget_reached:' || to_char(now() at time zone 'Europe/Paris', 'YYYY-MM');
begin
  select b.* into v_budget from hq.budget_state() as b;
  if not v_budget.is_warned or exists (select from hq.announcements as a where a.key = v_key) then
    return;
  end if;
  perform hq.announce(v_key, 'budget_reached');
  perform hq.write_log('warn', 'budget-monitor', 'budget.threshold_reached', jsonb_build_object(
    'month_cost_eur', v_budget.month_cost_eur,
    'target_eur', v_budget.target_eur,
    'threshold_pct', v_budget.threshold_pct,
    'pct_used', v_budget.pct_used
  ), null);
end
$$;
revoke execute on function hq.warn_of_budget from public, anon, authenticated;
comment on function hq.warn_of_budget is 'Avertit, une fois par mois, que le budget IA a atteint son seuil d''alerte.';
