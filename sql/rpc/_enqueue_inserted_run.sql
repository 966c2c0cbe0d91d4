-- Give a pending row that somebody inserted by hand its queue row and its request.
-- A request made through request_hq_run_v2 wrote both already, so both inserts are then without effect.
-- Raises nothing.
create or replace function hq.enqueue_inserted_run()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into hq.run_queue (run_id, run_type, platform_key)
  values (new.id, new.run_type, new.platform_key)
  on conflict (run_id) do nothing;
  insert into hq.run_requests (run_id, requester, trigger)
  values (new.id, 'sql', 'manual')
  on conflict (run_id) do nothing;
  return null;
end
$$;
revoke execute on function hq.enqueue_inserted_run from public, anon, authenticated;
comment on function hq.enqueue_inserted_run is 'Met en file toute exécution insérée avec le statut pending.';

create or replace trigger enqueue_inserted_run
after insert on hq.runs
for each row when (new.status = 'pending')
execute function hq.enqueue_inserted_run();
