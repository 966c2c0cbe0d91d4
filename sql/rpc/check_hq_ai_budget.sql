-- Compare the month's real cost with the budget, and warn of its threshold as every rescue does: once a day of Paris.
-- Returns what was compared, and whether this call is the one that warned.
-- Idempotent; of several at once one warns. Raises nothing.
create or replace function public.check_hq_ai_budget()
returns table (
  monthly_cost_eur numeric, monthly_target_eur numeric, pct_used numeric, is_alert boolean, alert_sent boolean
)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_before bigint;
begin
  select count(*) into v_before from hq.announcements as a
  where a.kind = 'budget_reached' and a.created_at > now() - interval '2 days';
  perform hq.warn_of_budget();
  return query
    select
      round(b.month_cost_eur, 4), b.target_eur, b.pct_used, b.is_warned,
      (
        select count(*) from hq.announcements as a
        where a.kind = 'budget_reached' and a.created_at > now() - interval '2 days'
      ) > v_before
    from hq.budget_state() as b;
end
$$;
revoke execute on function public.check_hq_ai_budget from public, anon, authenticated;
grant execute on function public.check_hq_ai_budget to service_role;
comment on function public.check_hq_ai_budget is 'Compare le coût du mois au budget, '
  'et avertit du seuil une fois par jour.';
