-- Record which announcements were sent, and take the next ones to send, oldest first, for a few seconds: if whoever
-- took them falls silent, the next caller gets them. So each is sent at least once or, when a day old, not at all.
-- p_answered: runs whose failure was given as an answer to whoever asked for them, so that nobody else is notified.
-- Skips what is locked. Idempotent for what was sent. What was sent stays, so that its key is unique, until purge_rest.
-- Raises nothing.
create or replace function public.take_hq_announcements_v2(
  p_said text[], p_limit integer, p_lease_seconds numeric, p_answered uuid[] default '{}'
)
returns table (key text, event text, payload jsonb)
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
begin
  update hq.announcements as a set sent_at = now()
  where a.key in (
    select s.key from hq.announcements as s where s.key = any(p_said) and s.sent_at is null for update skip locked
  );

  -- A failure is due ten seconds after it happened: whoever answers the person who asked says more than a constant.
  if p_answered <> '{}' then
    update hq.announcements as a set withdrawn_at = now()
    where a.key in (
      select s.key
      from hq.announcements as s
      where s.sent_at is null and s.message_key is null and s.withdrawn_at is null
        and s.created_at > now() - interval '1 hour'
        and s.kind = 'run_failed' and s.details ->> 'run_id' = any (p_answered::text[])
      for update skip locked
    );
  end if;

  return query
  with next as (
    select a.key
    from hq.announcements as a
    where a.sent_at is null
      and a.event is not null
      and a.withdrawn_at is null
      and a.due_at <= now()
      and a.created_at > now() - interval '1 day'
      and (a.taken_until is null or a.taken_until < now())
    order by a.created_at
    limit p_limit
    for update skip locked
  ),
  taken as (
    update hq.announcements as a
    set taken_until = now() + make_interval(secs => p_lease_seconds::double precision)
    from next
    where a.key = next.key
    returning a.key, a.event, a.payload, a.created_at
  )
  select taken.key, taken.event, taken.payload from taken order by taken.created_at, taken.key;
end
$$;
revoke execute on function public.take_hq_announcements_v2 from public, anon, authenticated;
grant execute on function public.take_hq_announcements_v2 to service_role;
comment on function public.take_hq_announcements_v2 is 'Confie à un ouvrier les annonces à diffuser, '
  'et note celles qui l''ont été.';
