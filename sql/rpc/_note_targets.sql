-- Note which channels the caller can use, and the owners' devices if it can reach those; end what waits for a device
-- that is no longer an owner's.
-- p_channels: a list of {target, label}. Idempotent.
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
  insert into hq.delivery_targets as t (target, kind, label, since)
  select n.target, n.kind, n.label, n.since
  from (
    -- What happens while a worker starts is not lost; what happened before there was a channel is not caught up on.
    select c.target, 'channel' as kind, left(c.label, 100) as label, now() - interval '10 minutes' as since
    from jsonb_to_recordset(p_channels) as c (target text, label text)
    union all
    select d.target, 'device', coalesce(d.host, '?'), d.since
    from hq.list_devices() as d
    where p_devices
  ) as n
  order by n.target
  on conflict (target) do update set seen_at = now(), label = excluded.label
  where (t.label, t.seen_at > now() - interval '1 minute') is distinct from (excluded.label, true);

  update hq.deliveries as d set status = 'gone', ended_at = now()
  where d.status = 'waiting' and p_devices
    and d.target in (select t.target from hq.delivery_targets as t where t.kind = 'device')
    and d.target not in (select l.target from hq.list_devices() as l);
end
$$;
revoke execute on function hq.note_targets from public, anon, authenticated;
comment on function hq.note_targets is 'Note les destinations que les ouvriers peuvent atteindre.';
