-- Hand messages to a worker that can send them: to its channels (a list of {target, label}), and to the owners' devices
-- if p_devices. details: what the message says, ten entries at most, members: how many announcements it says.
-- A target is one worker's at a time, four messages at most; after a failure it is left alone for a while. What was
-- tried less often comes first, so that a message which a target never takes does not hold back the others.
-- A lost answer is healed by the lease's end. Skips what is locked.
-- Raises nothing.
create or replace function public.claim_hq_deliveries(
  p_worker_id text, p_channels jsonb, p_devices boolean, p_limit integer, p_lease_seconds numeric
)
returns table (
  message_key text, target text, kind text, attempt integer, members bigint, details jsonb, said_at timestamptz,
  endpoint text, p256dh text, auth_key text
)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  perform hq.note_targets(p_channels, p_devices);
  perform hq.plan_messages();
  perform hq.fan_out_messages();

  return query
  with reachable as (
    select t.target
    from hq.delivery_targets as t
    where (t.held_until is null or t.held_until <= now())
      and (
        t.kind = 'device' and p_devices
        or t.target in (select c.target from jsonb_to_recordset(p_channels) as c (target text))
      )
      and not exists (
        select from hq.deliveries as b where b.target = t.target and b.status = 'waiting' and b.leased_until > now()
      )
    for no key update of t skip locked
  ),
  waiting as (
    select w.message_key, w.target
    from reachable as r
    cross join lateral (
      select d.message_key, d.target, d.attempt, d.created_at
      from hq.deliveries as d
      where d.target = r.target and d.status = 'waiting'
      order by d.attempt, d.created_at, d.message_key
      limit 4
    ) as w
    order by w.attempt, w.created_at, w.message_key, w.target
    limit p_limit
  ),
  locked as (
    select d.message_key, d.target
    from hq.deliveries as d
    join waiting as w on w.message_key = d.message_key and w.target = d.target
    where d.status = 'waiting' and (d.leased_until is null or d.leased_until <= now())
    for update of d skip locked
  ),
  taken as (
    update hq.deliveries as d
    set
      attempt = d.attempt + 1,
      worker_id = p_worker_id,
      leased_until = now() + make_interval(secs => p_lease_seconds::double precision)
    from locked as l
    where d.message_key = l.message_key and d.target = l.target
    returning d.message_key, d.target, d.attempt, d.created_at
  )
  select
    t.message_key, t.target, a.kind, t.attempt, m.members, m.details, a.created_at, v.endpoint, v.p256dh, v.auth_key
  from taken as t
  join hq.announcements as a on a.key = t.message_key
  cross join lateral (
    select
      count(*) as members,
      coalesce(jsonb_agg(s.details order by s.created_at, s.key) filter (where s.place <= 10), '[]') as details
    from (
      select n.key, n.details, n.created_at, row_number() over (order by n.created_at, n.key) as place
      from hq.announcements as n
      where n.message_key = t.message_key
    ) as s
  ) as m
  left join hq.list_devices() as v on v.target = t.target
  order by t.attempt, t.created_at, t.message_key, t.target;
end
$$;
revoke execute on function public.claim_hq_deliveries from public, anon, authenticated;
grant execute on function public.claim_hq_deliveries to service_role;
comment on function public.claim_hq_deliveries is 'Confie à un ouvrier les messages à envoyer '
  'par les canaux et aux appareils.';
