-- Say what keeps the plan and the autopilot from starting anything by themselves, or null:
-- 'paused', 'panic' (the screens' panic button: autopilot off and not even low risks), 'budget_exhausted'.
-- Read-only. Raises nothing, whatever stands in system_config.
create or replace function hq.read_hold(p_now timestamptz default now())
returns text
language sql
stable
security definer
set search_path = ''
as $$
  select case
    when hq.is_paused() then 'paused'
    when exists (
      select from hq.system_config as c
      where c.key = 'autopilot' and c.value @> '{"enabled": false, "low_risk_auto_execute": false}'
    ) then 'panic'
    when (select b.is_exhausted from hq.budget_state(p_now) as b) then 'budget_exhausted'
  end
$$;
revoke execute on function hq.read_hold from public, anon, authenticated;
comment on function hq.read_hold is 'Ce qui retient le plan et l''autopilote : '
  'pause, bouton d''urgence ou budget épuisé.';
