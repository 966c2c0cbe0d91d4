-- Say how the messages stand that leave by channels, and those for devices: one row each. How long the oldest has been
-- waiting, and how many tries in a row failed at the worst target. Only targets count that a worker can still reach.
-- Read-only.
-- Raises nothing.
create or replace function public.get_hq_delivery_state()
returns table (kind text, oldest_waiting_seconds numeric, failures_in_a_row integer)
language sql
stable
security definer
set search_path = ''
as $$
  select
    k.kind,
    greatest(coalesce(extract(epoch from now() - min(w.created_at)), 0), 0),
    coalesce(max(t.failures), 0)
  from (values ('channel'), ('device')) as k (kind)
  left join hq.delivery_targets as t on t.kind = k.kind and hq.is_recent(t.seen_at, interval '15 minutes')
  left join lateral (
    select hq.clamp_instant(d.created_at) as created_at
    from hq.deliveries as d
    where d.target = t.target and d.status = 'waiting' and hq.clamp_instant(d.created_at) is not null
    order by d.created_at
    limit 1
  ) as w on true
  group by k.kind
$$;
revoke execute on function public.get_hq_delivery_state from public, anon, authenticated;
grant execute on function public.get_hq_delivery_state to service_role;
comment on function public.get_hq_delivery_state is 'État des messages par canaux et vers les appareils : '
  'ancienneté du plus vieux qui attend, échecs de suite.';
