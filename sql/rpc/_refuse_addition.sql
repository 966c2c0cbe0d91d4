-- Say why the autopilot may not add a run of a type now; no row: it may. These are all its rules, in one place, applied
-- before the model chooses and again in the transaction that launches.
-- Read-only.
-- Raises nothing.
create or replace function hq.refuse_addition(p_run_type text)
returns table (code text, reason text, running_minutes integer)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_config record;
  v_type hq.run_types;
  v_hold text := hq.read_hold();
  v_since timestamptz;
  v_failed text;
begin
  select c.* into v_config from hq.read_autopilot_config() as c;
  select t.* into v_type from hq.run_types as t where t.key = p_run_type;
  if not found then
    return query select 'unknown', 'type inconnu', null::integer;
    return;
  elsif v_type.requires_approval or not v_type.auto_executable or v_type.risk not in ('low', 'medium') then
    return query select 'sensitive', 'réservé à une demande de la présidence', null::integer;
    return;
  elsif not p_run_type = any (v_config.allowed_run_types) then
    return query select 'not_listed', 'absent de la liste autorisée', null::integer;
    return;
  elsif v_hold is not null then
    return query select v_hold, case v_hold
      when 'paused' then 'exécutions en pause'
      when 'panic' then 'bouton d''urgence actionné'
      when 'budget_exhausted' then 'budget IA du mois épuisé'
      else v_hold
    end, null::integer;
    return;
  elsif not v_config.enabled then
    -- The cockpit's switch may be on while the security page's is off: say where to look.
    return query select 'off', case
      when exists (select from hq.system_config as c where c.key = 'autopilot' and c.value @> '{"enabled": true}')
        then 'lancement automatique éteint sur la page Sécurité'
      else 'autopilote éteint'
    end, null::integer;
    return;
  end if;

  v_failed := case when v_config.pause_on_error then hq.find_autopilot_failure(v_config.set_at) end;
  if v_failed is not null then
    return query select 'paused_on_error', format('autopilote en pause depuis l''échec de %s', v_failed), null::integer;
    return;
  elsif v_config.max_daily_runs <= (
    select count(*) from hq.run_requests as q
    where q.trigger = 'autopilot'
      and q.created_at >= date_trunc('day', now() at time zone hq.paris_zone()) at time zone hq.paris_zone()
  ) then
    return query select 'daily_limit', format('maximum du jour atteint (%s)', v_config.max_daily_runs), null::integer;
    return;
  end if;

  select min(coalesce(r.started_at, r.created_at)) into v_since
  from hq.runs as r
  where r.run_type = p_run_type and r.status in ('pending', 'running');
  if v_since is not null then
    return query select
      'already_running', 'déjà en cours',
      floor(extract(epoch from now() - coalesce(hq.clamp_instant(v_since), now())) / 60)::integer;
  elsif exists (
    select from hq.runs as r
    -- Paris is whole hours from UTC: its hours begin with those of UTC.
    where r.run_type = p_run_type and r.created_at >= date_trunc('hour', now(), 'UTC') and r.status <> 'cancelled'
  ) then
    return query select 'just_done', 'déjà lancé dans l''heure', null::integer;
  end if;
end
$$;
revoke execute on function hq.refuse_addition from public, anon, authenticated;
comment on function hq.refuse_addition is 'Règles de l''autopilote : '
  'pourquoi un type ne peut pas être ajouté maintenant.';
