-- Make one delivery per target of each message that is due; drop what nobody took within a day.
-- Skips what is locked. Idempotent.
-- Raises nothing.
create or replace function hq.fan_out_messages()
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  with due as (
    select a.key
    from hq.announcements as a
    where a.message_key = a.key and a.fanned_out_at is null and a.message_due_at <= now()
    order by a.message_due_at, a.created_at
    limit 200
    for update skip locked
  ),
  fanned_out as (
    update hq.announcements as a set fanned_out_at = now()
    from due
    where a.key = due.key
    returning a.key, a.created_at
  )
  insert into hq.deliveries (message_key, target)
  select f.key, t.target
  from fanned_out as f
  join hq.delivery_targets as t on t.since <= f.created_at and t.seen_at > now() - interval '10 minutes'
  order by f.key, t.target
  on conflict (message_key, target) do nothing;

  update hq.deliveries as d set status = 'dropped', ended_at = now()
  where (d.message_key, d.target) in (
    select w.message_key, w.target
    from hq.deliveries as w
    where w.status = 'waiting' and w.created_at < now() - interval '1 day'
      and (w.leased_until is null or w.leased_until < now())
    limit 1000
    for update skip locked
  );
end
$$;
revoke execute on function hq.fan_out_messages from public, anon, authenticated;
comment on function hq.fan_out_messages is 'Répartit les messages dus entre les destinations.';
