-- Note which channels the caller can use, and the owners' devices if it can reach those; end what waits for a device
-- that is no longer an owner's, and hand what waits for a channel whose token was changed to the one in its place,
-- which came when the other was last seen, or later.
-- p_channels: a list of {target, label, restarted}; restarted: the caller has just started, perhaps because an address
-- was mended, so that no channel is left alone any longer for having had a wrong one. Idempotent.
-- Skips what is locked: one row in an open transaction must not keep messages from the other targets.
-- Raises nothing.
create or replace function hq.note_targets(p_channels jsonb, p_devices boolean)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  with noted as materialized (
    -- What happens while a worker starts is not lost; what happened before there was a channel is not caught up on.
    select
      c.target,
      'channel' as kind,
      left(c.label, 100) as label,
      now() - interval '10 minutes' as since,
      coalesce(c.restarted, false) as restarted
    from jsonb_to_recordset(p_channels) as c (target text, label text, restarted boolean)
    union all
    select d.target, 'device', coalesce(d.host, '?'), d.since, false
    from hq.list_devices() as d
    where p_devices
  ),
  added as (
    insert into hq.delivery_targets (target, kind, label, since)
    select n.target, n.kind, n.label, n.since
    from noted as n
    -- The clause on conflict alone would wait for whoever is changing the row.
    where not exists (select from hq.delivery_targets as t where t.target = n.target)
    order by n.target
    on conflict (target) do nothing
  ),
  outdated as (
    select t.target, n.label, n.restarted
    from hq.delivery_targets as t
    join noted as n on n.target = t.target
    where n.restarted or (t.label, t.seen_at > now() - interval '1 minute') is distinct from (n.label, true)
    order by t.target
    for no key update of t skip locked
  )
  update hq.delivery_targets as t
  set
    seen_at = now(),
    label = o.label,
    -- A wait that the service asked for, or an outage of its own, is none that mending ends.
    held_until = case when not o.restarted or t.failure ~ '^http_(408|425|429|5)' then t.held_until end
  from outdated as o
  where t.target = o.target;

  update hq.deliveries as d set status = 'gone', ended_at = now()
  where (d.message_key, d.target) in (
    select w.message_key, w.target
    from hq.deliveries as w
    join hq.delivery_targets as t on t.target = w.target and t.kind = 'device'
    where w.status = 'waiting' and p_devices
      and w.target not in (select l.target from hq.list_devices() as l)
    limit 1000
    for update of w skip locked
  );

  -- A worker that still has the old token would have been seen meanwhile. A label is no more than a kind of service:
  -- what was there long before the other went away is another address, not its successor; two releases overlap for
  -- minutes.
  with moved as (
    select w.message_key, w.target, c.target as successor
    from hq.deliveries as w
    join hq.delivery_targets as t
      on t.target = w.target and t.kind = 'channel' and t.seen_at < now() - interval '2 minutes'
    join jsonb_to_recordset(p_channels) as c (target text, label text) on left(c.label, 100) = t.label
    -- since: ten minutes before it was first seen.
    join hq.delivery_targets as s on s.target = c.target and s.since > t.seen_at - interval '15 minutes'
    where w.status = 'waiting' and c.target <> t.target
      and (w.leased_until is null or w.leased_until <= now())
      -- What the successor has got by itself waits for its day: the other one may be away, not replaced.
      and not exists (select from hq.deliveries as b where b.message_key = w.message_key and b.target = c.target)
    limit 1000
    for update of w skip locked
  ),
  placed as (
    select
      m.message_key,
      m.target,
      m.successor,
      row_number() over (partition by m.message_key, m.successor order by m.target) = 1 as is_first
    from moved as m
  )
  update hq.deliveries as d
  set
    target = case when p.is_first then p.successor else d.target end,
    attempt = case when p.is_first then 0 else d.attempt end,
    status = case when p.is_first then d.status else 'dropped' end,
    ended_at = case when not p.is_first then now() end
  from placed as p
  where d.message_key = p.message_key and d.target = p.target;
end
$$;
revoke execute on function hq.note_targets from public, anon, authenticated;
comment on function hq.note_targets is 'Note les destinations que les ouvriers peuvent atteindre.';
