-- Read the messages of the contact form as numbers: {total, day, week, month, month_before, unread, oldest_unread,
-- newest, days: [{day, messages}]}; unread and oldest_unread where the host notes what was read. Null where it has no
-- such table.
-- Read-only. No name, address or text of anybody. 50,000 rows at most; of days, the last 30 in Paris time.
-- Raises what the host's own types raise.
create or replace function hq.read_contacts()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_read text := case when hq.has_column('public.contact_messages', 'read_at', 'D') then 'm.read_at' else 'now()' end;
  v_has_read boolean := hq.has_column('public.contact_messages', 'read_at', 'D');
  v_found jsonb;
begin
  if to_regclass('public.contact_messages') is null then
    return null;
  end if;
  execute format(
    $query$
      with messages as materialized (
        select m.created_at, %s is null as is_unread
        from public.contact_messages as m
        where m.created_at between '0001-01-02' and now()
        limit 50000
      )
      select jsonb_build_object(
        'total', count(*),
        'day', count(*) filter (where m.created_at > now() - interval '1 day'),
        'week', count(*) filter (where m.created_at > now() - interval '7 days'),
        'month', count(*) filter (where m.created_at > now() - interval '30 days'),
        'month_before', count(*) filter (
          where m.created_at > now() - interval '60 days' and m.created_at <= now() - interval '30 days'
        ),
        'unread', count(*) filter (where m.is_unread),
        'oldest_unread', min(m.created_at) filter (where m.is_unread),
        'newest', max(m.created_at),
        'days', (
          select coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'messages', d.messages) order by d.day), '[]')
          from (
            select (n.created_at at time zone (select hq.paris_zone()))::date as day, count(*) as messages
            from messages as n
            where n.created_at > now() - interval '30 days'
            group by 1
          ) as d
        )
      )
      from messages as m
    $query$,
    v_read
  ) into v_found;
  return case when v_has_read then v_found else v_found - 'unread' - 'oldest_unread' end;
end
$$;
revoke execute on function hq.read_contacts from public, anon, authenticated;
comment on function hq.read_contacts is 'Messages du formulaire de contact : '
  'nombres par jour et par état, jamais un texte.';
