-- Record what a purge did: its count in one log, its end in hq.maintenance, or its refusal (p_days is null). With the
-- end, the sums of months that are over are kept.
-- Locks its row of hq.maintenance; where another session holds it, the next purge records its own end. A refusal is
-- logged once a day, not every ten minutes.
-- Raises nothing.
create or replace function hq.end_purge(p_days integer, p_logs bigint, p_rest bigint, p_done boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  if p_days is null then
    update hq.maintenance set told_at = now()
    where task = 'purge' and (told_at is null or told_at < now() - interval '24 hours');
    if found then
      perform hq.write_log(
        'warn', 'scheduler', 'logs.purge_refused',
        jsonb_build_object(
          'setting', (select left(c.value::text, 200) from hq.system_config as c where c.key = 'log_retention'),
          'reason', 'Le réglage log_retention doit être {"days": n}, avec n entier, 1 au moins. '
            'Aucun journal n''est supprimé.'
        ),
        null
      );
    end if;
  end if;
  if p_logs + p_rest > 0 then
    perform hq.write_log(
      'info', 'scheduler', 'logs.purged',
      jsonb_build_object('deleted', p_logs, 'deleted_elsewhere', p_rest, 'retention_days', p_days, 'complete', p_done),
      null
    );
  end if;
  if p_done then
    perform hq.keep_cost_months();
    insert into hq.maintenance as m (task, done_at) values ('purge', now())
    on conflict (task) do update set done_at = excluded.done_at;
  end if;
exception when lock_not_available then
  null;
end
$$;
revoke execute on function hq.end_purge from public, anon, authenticated;
comment on function hq.end_purge is 'Consigne une purge : un journal, sa fin, ou la raison de son refus.';
