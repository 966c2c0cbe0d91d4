-- Record how sending a message to a target went; return whether it was still the caller's to say.
-- p_outcome: accepted; retry, after p_wait_seconds or longer; refused, for good; gone, the device has no subscription.
-- After a retry, what else was taken for the target is given back: nothing is sent to it before its wait is over. The
-- message that failed counts twice as an attempt, so that what was given back is sent before it.
-- Locks the delivery, then its target. Idempotent: a delivery that is ended, settled or taken again is left as it is.
-- Raises 22023 for another outcome.
create or replace function public.settle_hq_delivery(
  p_message_key text, p_target text, p_attempt integer, p_outcome text, p_failure text, p_wait_seconds numeric
)
returns boolean
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
#variable_conflict use_column
declare
  v_worker_id text;
begin
  if p_outcome not in ('accepted', 'retry', 'refused', 'gone') then
    raise exception using errcode = '22023', message = format('No outcome %L of a delivery.', p_outcome);
  end if;
  update hq.deliveries as d
  set
    status = case p_outcome when 'retry' then 'waiting' else p_outcome end,
    ended_at = case p_outcome when 'retry' then null else now() end,
    attempt = d.attempt + case p_outcome when 'retry' then 1 else 0 end,
    leased_until = null,
    failure = left(p_failure, 200)
  where d.message_key = p_message_key and d.target = p_target and d.attempt = p_attempt and d.status = 'waiting'
  returning d.worker_id into v_worker_id;
  if not found then
    return false;
  end if;

  if p_outcome = 'gone' then
    perform hq.deactivate_device(p_target, p_failure);
  elsif p_outcome = 'accepted' then
    update hq.delivery_targets as t set failures = 0, held_until = null, accepted_at = now() where t.target = p_target;
  else
    update hq.delivery_targets as t
    set
      failed_at = now(),
      failure = left(p_failure, 200),
      failures = t.failures + 1,
      held_until = case p_outcome when 'retry' then now() + make_interval(secs => greatest(
        least(coalesce(p_wait_seconds, 0), 86400)::double precision,
        least(15 * 2 ^ least(t.failures, 10), 900)
      )) end
    where t.target = p_target;
  end if;
  if p_outcome = 'retry' then
    update hq.deliveries as d set leased_until = null
    where d.target = p_target and d.status = 'waiting' and d.worker_id = v_worker_id and d.leased_until is not null;
  end if;
  return true;
end
$$;
revoke execute on function public.settle_hq_delivery from public, anon, authenticated;
grant execute on function public.settle_hq_delivery to service_role;
comment on function public.settle_hq_delivery is 'Note comment l''envoi d''un message à une destination s''est passé.';
