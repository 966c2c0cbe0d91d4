-- Announce, once a day of Paris, that actions have been waiting for approval for more than 24 hours; return how many.
-- Idempotent. An action of no date, or a date to come, is not stale.
-- Raises nothing.
create or replace function hq.announce_stale_approvals()
returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_waiting bigint;
  v_details jsonb;
begin
  select count(*), jsonb_build_object(
    'count', count(*),
    'oldest_at', min(a.created_at),
    'titles', (array_agg(left(a.title, 120) order by a.created_at, a.id))[:3]
  )
  into v_waiting, v_details
  from hq.actions as a
  where a.status = 'pending' and a.requires_approval
    and a.created_at between '2000-01-01' and now() - interval '24 hours';
  if v_waiting > 0 then
    perform hq.announce_event(
      'stale_approvals:' || to_char(now() at time zone hq.paris_zone(), 'YYYY-MM-DD'), 'stale_approvals', v_details
    );
  end if;
  return v_waiting;
end
$$;
revoke execute on function hq.announce_stale_approvals from public, anon, authenticated;
comment on function hq.announce_stale_approvals is 'Annonce, une fois par jour, '
  'que des actions attendent une approbation depuis plus de 24 heures.';
