"""What has to be in force before a migration asks for its locks: what works before and after it.

A call that waits for a migration's lock began with the function of before, whatever the migration itself writes. Where
that function cannot work on what the migration leaves, the call would fail once the lock is free. And whoever acts
between the commits of two migrations acts on what the first of them left.

All of them work on the schema of 0.1.0 already: the printed text commits them before anything else.
"""

from typing import Final

# 0017 replaces the constraint that `on conflict` named; this names none.
_RECORD_COST: Final = """\
create or replace function hq.record_cost(p_run_id uuid, p_lease_token bigint, p_usage jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_whole boolean := jsonb_typeof(p_usage) = 'object';
  v_bills jsonb := case when v_whole then jsonb_build_array(p_usage) else p_usage end;
begin
  update hq.run_costs as c set
    model = u.model, calls = u.calls, tokens_in = u.tokens_in, tokens_out = u.tokens_out,
    tokens_cached = u.tokens_cached, tokens_reasoning = u.tokens_reasoning, cost_eur = u.cost_eur,
    search_cost_eur = coalesce(u.search_cost_eur, 0), estimated = u.estimated
  from jsonb_to_recordset(v_bills) as u (
    model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
    tokens_reasoning bigint, cost_eur numeric, search_cost_eur numeric, estimated boolean
  )
  where c.run_id = p_run_id and c.lease_token = p_lease_token and (v_whole or c.model = u.model)
    and (u.calls, u.cost_eur) >= (c.calls, c.cost_eur);
  insert into hq.run_costs (
    run_id, lease_token, run_type, platform_key, model, calls,
    tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_eur, search_cost_eur, estimated
  )
  select
    r.id, p_lease_token, r.run_type, r.platform_key, u.model, u.calls,
    u.tokens_in, u.tokens_out, u.tokens_cached, u.tokens_reasoning, u.cost_eur,
    coalesce(u.search_cost_eur, 0), u.estimated
  from jsonb_to_recordset(v_bills) as u (
    model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
    tokens_reasoning bigint, cost_eur numeric, search_cost_eur numeric, estimated boolean
  )
  join hq.runs as r on r.id = p_run_id
  where u.calls > 0
    and not exists (
      select from hq.run_costs as c
      where c.run_id = p_run_id and c.lease_token = p_lease_token and (v_whole or c.model = u.model)
    )
  on conflict do nothing;
end
$$;
revoke execute on function hq.record_cost from public, anon, authenticated;
"""

# 0022 moves the brief from 7 h to 8 h and skips today's of 8 h only where it is itself applied before 8. Skipped here,
# while the plan still says 7, it is decided before anybody can look for it.
_SKIP_SECOND_BRIEF: Final = """\
select from hq.plan_clock for update;
insert into hq.plan_slots (job_key, slot_at, outcome, reason, decided_at)
select j.key, today.eight, 'skipped', 'already_fired', now()
from hq.scheduled_jobs as j
cross join (
  select
    (date_trunc('day', now() at time zone 'Europe/Paris') + interval '8 hours') at time zone 'Europe/Paris' as eight
) as today
where j.key = 'daily_brief' and j.hours is null and j.default_hours = '{7}'
  and exists (select from hq.plan_clock as c where c.passed_until < today.eight)
  and exists (
    select from hq.plan_slots as s
    where s.job_key = j.key and s.outcome = 'fired'
      and s.slot_at >= today.eight - interval '8 hours' and s.slot_at < today.eight
  )
on conflict do nothing;
"""

# The last migration of 0.1.0: on what is older, the printed text has nothing to bridge.
BRIDGED_SINCE: Final = "0012_link_retries"

# migration → what is committed before it, where our functions are installed already
BRIDGES: Final = {"0017_bill_each_model": _RECORD_COST, "0022_move_brief_to_eight": _SKIP_SECOND_BRIEF}
