-- Warn, once a day of Paris, that the month's cost has reached the budget's threshold: in the journal and on the open
-- pages. Called by the rescue, at most twice a minute, by check_hq_ai_budget and with every decision: summing a month
-- is too slow for every sweep and every settlement, and within a minute is soon enough.
-- Part of the caller's transaction. Idempotent; of several at once one warns, the others do not wait for it.
-- Raises nothing. Silent where system_config.ai_budget switches alerts off.
create or replace function hq.warn_of_budget()
returns void
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_budget record;
  v_key text := 'budget_reached:' || to_char(now() at time zone hq.paris_zone(), 'YYYY-MM-DD');
begin
  if exists (select from hq.announcements as a where a.key = v_key)
    or exists (
      select from hq.system_config as c where c.key = 'ai_budget' and c.value -> 'alerts_enabled' = 'false'
    )
  then
    return;
  end if;
  select b.* into v_budget from hq.budget_state() as b;
  if not v_budget.is_warned
    or not pg_try_advisory_xact_lock(hashtextextended(v_key, 0))
    -- Another one may have warned between the first look and the lock.
    or exists (select from hq.announcements as a where a.key = v_key)
  then
    return;
  end if;
  perform hq.announce_event(v_key, 'budget_reached', jsonb_build_object(
    'month_cost_eur', v_budget.month_cost_eur,
    'target_eur', v_budget.target_eur,
    'pct_used', v_budget.pct_used
  ));
  perform hq.write_log('warn', 'budget-monitor', 'budget.threshold_reached', jsonb_build_object(
    'month_cost_eur', v_budget.month_cost_eur,
    'target_eur', v_budget.target_eur,
    'threshold_pct', v_budget.threshold_pct,
    'pct_used', v_budget.pct_used
  ), null);
exception when lock_not_available then
  null;
end
$$;
revoke execute on function hq.warn_of_budget from public, anon, authenticated;
comment on function hq.warn_of_budget is 'Avertit, une fois par jour, '
  'que le coût du mois a atteint le seuil d''alerte du budget.';
