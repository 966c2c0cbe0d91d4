-- Limit a person to 30 new runs per 5 minutes, forced ones included.
-- Takes a transaction lock per requester, so that requests sent together are counted one by one.
-- Raises HQ004.
create or replace function hq.check_request_limit(p_requester text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
-- Others of the same person, each in turn; nothing that a session of SQL can hold.
set lock_timeout = '3s'
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(hashtextextended('hq.request:' || p_requester, 0));
  if 30 <= (
    select count(*) from hq.run_requests as q
    where q.requester = p_requester and q.created_at > now() - interval '5 minutes'
  ) then
    raise exception using
      errcode = 'HQ004',
      message = 'Limite atteinte : 30 demandes par tranche de 5 minutes. Patientez un peu puis relancez.',
      hint = 'Chaque demande cesse de compter 5 minutes après avoir été faite.';
  end if;
end
$$;
revoke execute on function hq.check_request_limit from public, anon, authenticated;
comment on function hq.check_request_limit is 'Limite les demandes d''une personne à 30 par 5 minutes.';
