-- Decide which message says each announcement that is due: its own, for the first ten of a kind within a burst; from
-- the eleventh on, one message for all, when the burst is over. So 500 failures of a minute are eleven messages.
-- A burst begins with an announcement and takes 90 s: what happens within a minute is not all planned within one.
-- One planner at a time; the others do not wait for it. Idempotent.
-- Raises nothing.
create or replace function hq.plan_messages()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_single constant integer := 10;
  v_burst constant interval := '90 seconds';
begin
  if not pg_try_advisory_xact_lock(hashtextextended('hq.plan_messages', 0)) then
    return;
  end if;
  with fresh as (
    select a.key, a.kind, row_number() over (partition by a.kind order by a.created_at, a.key) as place
    from hq.announcements as a
    where a.kind is not null and a.message_key is null and a.withdrawn_at is null
      and a.due_at <= now() and a.created_at > now() - interval '1 day'
    order by a.created_at, a.key
    limit 1000
  ),
  begun as (
    select
      b.kind,
      b.burst_at,
      count(*) as planned,
      max(b.message_key) filter (where b.message_due_at > b.burst_at + v_burst) as summary_key
    from hq.announcements as b
    join (
      select l.kind, max(l.burst_at) as burst_at
      from hq.announcements as l
      where l.burst_at > now() - v_burst and l.created_at > now() - interval '1 day'
      group by l.kind
    ) as latest on latest.kind = b.kind and latest.burst_at = b.burst_at
    where b.created_at > now() - interval '1 day'
    group by b.kind, b.burst_at
  ),
  placed as (
    select
      f.key,
      coalesce(b.burst_at, now()) as burst_at,
      f.place + coalesce(b.planned, 0) as place,
      coalesce(
        b.summary_key,
        max(f.key) filter (where f.place + coalesce(b.planned, 0) = v_single + 1) over (partition by f.kind)
      ) as summary_key
    from fresh as f
    left join begun as b on b.kind = f.kind
  )
  update hq.announcements as a
  set
    burst_at = p.burst_at,
    message_key = case when p.place <= v_single then p.key else p.summary_key end,
    -- A little later than the burst's end: whoever plans the last of it may take a moment.
    message_due_at = case when p.place <= v_single then now() else p.burst_at + v_burst + interval '5 seconds' end
  from placed as p
  where a.key = p.key;
end
$$;
revoke execute on function hq.plan_messages from public, anon, authenticated;
comment on function hq.plan_messages is 'Décide quel message dit chaque annonce : '
  'le sien, ou un seul pour toutes au-delà de dix de même sorte en une minute.';
