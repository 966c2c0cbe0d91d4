-- Read the autopilot's settings as the rules understand them, in both shapes in which the screens write them:
-- {enabled, allowedRunTypes, maxDailyAutonomousRuns, pauseOnError, …} and {enabled, low_risk_auto_execute}.
-- Read-only. What is missing has the screens' default; what has another shape is read as the cautious answer.
-- Raises nothing, whatever stands there.
create or replace function hq.read_autopilot_config()
returns table (
  enabled boolean, allowed_run_types text[], max_daily_runs integer, pause_on_error boolean, set_at timestamptz
)
language sql
stable
security definer
set search_path = ''
as $$
  with config as (
    select
      coalesce((select c.value from hq.system_config as c where c.key = 'autopilot'), 'null') as value,
      (select c.updated_at from hq.system_config as c where c.key = 'autopilot') as set_at
  )
  select
    value @> '{"enabled": true}' and coalesce(value -> 'low_risk_auto_execute', 'true') = 'true',
    case
      when jsonb_typeof(value -> 'allowedRunTypes') = 'array' then array(
        select distinct left(t.key, 80)
        from jsonb_array_elements_text(value -> 'allowedRunTypes') as t (key)
        where t.key is not null
        order by 1
        limit 100
      )
      when value ? 'allowedRunTypes' then '{}'
      else array(select t.key from hq.run_types as t where t.autopilot_default order by t.key)
    end,
    case
      when not value ? 'maxDailyAutonomousRuns' then 20
      when jsonb_typeof(value -> 'maxDailyAutonomousRuns') = 'number'
        then least(greatest(floor((value ->> 'maxDailyAutonomousRuns')::numeric), 0), 1000)::integer
      else 0
    end,
    coalesce(value -> 'pauseOnError', 'true') <> 'false',
    set_at
  from config
$$;
revoke execute on function hq.read_autopilot_config from public, anon, authenticated;
comment on function hq.read_autopilot_config is 'Réglages de l''autopilote, '
  'lus dans les deux formes que les écrans écrivent.';
