-- Examine what the host leaves open or gets wrong: access that must be closed (hq.closed_doors), dead letters that its
-- retry worker would take, and the known faults of its functions.
-- Read-only. The faults are reported, not fixed: the functions are the host's, and its next migration may fix them.
-- Each is recognised by what it does or by the catalogue; where only a call as an owner would show it, in the
-- function's text, so a function that was rewritten is no longer reported.
-- Raises nothing.
create or replace function hq.inspect_host()
returns table (name text, state text, detail text, code text, subject text)
language sql
stable
security definer
set search_path = ''
as $$
  select
    'closed doors',
    case when count(d.object) = 0 then 'green' else 'red' end,
    case
      when count(d.object) = 0
        then format('all closed (%s listed in hq.closed_doors)', (select count(*) from hq.closed_doors))
      else format('open: %s; run emocare migrate', string_agg(d.object, ', ' order by d.object))
    end,
    'closed_doors',
    null
  from hq.find_open_doors() as d
  union all
  select
    'dead letters',
    'amber',
    format('%s are due, and the host''s retry worker takes them: run emocare migrate, which holds them', count(*)),
    'dead_letters_due',
    null
  from hq.find_dead_letters() as d
  where d.is_due
  having count(*) > 0
  union all
  (
    with hosts as (
      select
        p.oid,
        p.proname::text as name,
        p.prosrc as body,
        exists (
          select from pg_catalog.aclexplode(p.proacl) as a
          where a.grantee = 'anon'::regrole and a.privilege_type = 'EXECUTE'
        ) as has_grant
      from pg_catalog.pg_proc as p
      where p.pronamespace = 'public'::regnamespace
    )
    select 'host ' || f.name, 'amber', f.fault, 'host_fault', f.name
    from (
      select
        'check_ip_rate_limit' as name,
        format('counts %s keys in two windows at once, which doubles their limit', count(*)) as fault
      from hq.find_split_windows()
      having count(*) > 0
      union all
      select
        h.name,
        'answers anybody about any user, also without a login: policies and screens call it, so it stays open'
      from hosts as h
      where h.name in ('has_role', 'has_permission', 'get_user_permissions')
        and has_function_privilege('anon', h.oid, 'execute')
      union all
      select h.name, 'fails whenever it is called: it writes the actor type "public", which hq.audit_logs refuses'
      from hosts as h
      where h.name = 'insert_studio_public_submission'
        and h.body like '%''public''%'
        and not exists (
          select from pg_catalog.pg_constraint as k
          where k.conrelid = 'hq.audit_logs'::regclass and k.contype = 'c'
            and pg_catalog.pg_get_constraintdef(k.oid) like '%actor_type%''public''%'
        )
      union all
      select
        case when h.has_grant then 'studio functions granted to anon' else 'studio functions open to PUBLIC' end,
        format(
          'anon may execute %s: they %s',
          string_agg(h.name, ', ' order by h.name),
          case when h.has_grant then 'are granted to anon' else 'were closed to anon but not to PUBLIC' end
        )
      from hosts as h
      where h.name like '%studio%' and has_function_privilege('anon', h.oid, 'execute')
      group by h.has_grant
      union all
      select
        h.name,
        'answers true without writing anything when the key does not exist'
        || case
          when exists (select from hq.system_config as c where c.key = 'autopilot') then ''
          else ': the autopilot switch of the page does nothing, because there is no key autopilot'
        end
      from hosts as h
      where h.name = 'update_hq_system_config'
        and h.body !~* '\mfound\M|row_count|insert\s+into\s+hq\.system_config|on\s+conflict'
      union all
      select h.name, 'never counts failed runs in run_success_rate: trust hq.runs instead'
      from hosts as h
      where h.name = 'get_hq_slo_status' and h.body like '%run_success_rate%' and h.body not like '%failed%'
    ) as f
    order by f.name
  )
$$;
revoke execute on function hq.inspect_host from public, anon, authenticated;
comment on function hq.inspect_host is 'Portes ouvertes et défauts connus des fonctions de l''application hôte.';
