-- Look at what should be announced, and announce the approvals that have been waiting for a day: failures are announced
-- by settlements, platforms by their incidents. Returns what was counted, now or by the last look: a look happens at
-- most once a minute, however many ask. Logs one that counts something else than the last, or announces something, and
-- one a day.
-- Locks one row; whoever finds it locked gets the last look. Idempotent within a minute.
-- Raises nothing.
create or replace function public.look_for_hq_push_triggers()
returns table (failed_runs integer, red_platforms integer, stale_approvals integer, sent integer)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_last hq.push_look;
  v_now hq.push_look;
  v_announced bigint;
begin
  select l.* into v_last from hq.push_look as l
  where not hq.is_recent(l.looked_at, interval '1 minute')
  for update skip locked;
  if not found then
    return query select l.failed_runs, l.red_platforms, l.stale_approvals, l.sent from hq.push_look as l;
    return;
  end if;

  select count(*) into v_now.failed_runs from hq.runs as r
  where r.status = 'failed' and r.completed_at between now() - interval '1 hour' and now();
  select count(*) into v_now.red_platforms from hq.platforms as p where p.status = 'red';
  select count(*) into v_announced from hq.announcements as a
  where a.kind = 'stale_approvals' and a.created_at > now() - interval '2 days';
  v_now.stale_approvals := hq.announce_stale_approvals();
  select count(*) - v_announced into v_now.sent from hq.announcements as a
  where a.kind = 'stale_approvals' and a.created_at > now() - interval '2 days';

  update hq.push_look as l
  set
    looked_at = now(),
    failed_runs = v_now.failed_runs,
    red_platforms = v_now.red_platforms,
    stale_approvals = v_now.stale_approvals,
    sent = v_now.sent;
  if v_now.sent > 0
    or (v_now.failed_runs, v_now.red_platforms, v_now.stale_approvals)
      is distinct from (v_last.failed_runs, v_last.red_platforms, v_last.stale_approvals)
    or not hq.is_recent(v_last.logged_at, interval '1 day')
  then
    update hq.push_look set logged_at = now();
    perform hq.write_log(
      case when v_now.failed_runs + v_now.red_platforms + v_now.stale_approvals > 0 then 'warn' else 'info' end,
      'push-triggers',
      format(
        'Échecs dans l''heure : %s ; plateformes au rouge : %s ; approbations en attente depuis plus de 24 h : %s.',
        v_now.failed_runs, v_now.red_platforms, v_now.stale_approvals
      ),
      jsonb_build_object(
        'failed_runs', v_now.failed_runs,
        'red_platforms', v_now.red_platforms,
        'stale_approvals', v_now.stale_approvals,
        'sent', v_now.sent
      ),
      null
    );
  end if;
  return query select v_now.failed_runs, v_now.red_platforms, v_now.stale_approvals, v_now.sent;
end
$$;
revoke execute on function public.look_for_hq_push_triggers from public, anon, authenticated;
grant execute on function public.look_for_hq_push_triggers to service_role;
comment on function public.look_for_hq_push_triggers is 'Regarde, au plus une fois par minute, '
  'ce qui mérite une notification, et rend ce qui a été compté.';
