-- Note which channels the caller can use, and the owners' devices if it can reach those; end what waits for a device
-- that is no longer an owner's.
-- p_channels: a list of {target, label}. Idempotent. Skips what is locked: one row in an open transaction must not keep
-- messages from the other targets.
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
    select c.target, 'channel' as kind, left(c.label, 100) as label, now() - interval '10 minutes' as since
    from jsonb_to_recordset(p_channels) as c (target text, label text)
    union all
    select d.target, 'device', coalesce(d.host, '?'), d.since
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
    select t.target, n.label
    from hq.delivery_targets as t
    join noted as n on n.target = t.target
    where (t.label, t.seen_at > now() - interval '1 minute') is distinct from (n.label, true)
    order by t.target
    for no key update of t skip locked
  )
  update hq.delivery_targets as t set seen_at = now(), label = o.label
  from outdated as o
  where t.target = o.target;

  update hq.deliveries as d set status = 'gone', ended_at = now()
  where d.status = 'waiting' and p_devices
    and d.target in (select t.target from hq.delivery_targets as t where t.kind = 'device')
    and d.target not in (select l.target from hq.list_devices() as l);
end
$$;
revoke execute on function hq.note_targets from public, anon, authenticated;
comment on function hq.note_targets is 'Note les destinations que les ouvriers peuvent atteindre.';
