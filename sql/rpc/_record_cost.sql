-- Record what one lease has billed so far. The amounts are the lease's totals, which only grow: repeating is harmless,
-- and so is what arrives late.
-- Deliberately not fenced: money that a worker spent before it lost its lease was spent all the same, and the row
-- belongs to that lease alone.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing when nothing was billed.
create or replace function hq.record_cost(p_run_id uuid, p_lease_token bigint, p_usage jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into hq.run_costs as c (
    run_id, lease_token, run_type, platform_key, model, calls,
    tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_eur, search_cost_eur, estimated
  )
  select
    r.id, p_lease_token, r.run_type, r.platform_key, u.model, u.calls,
    u.tokens_in, u.tokens_out, u.tokens_cached, u.tokens_reasoning, u.cost_eur,
    coalesce(u.search_cost_eur, 0), u.estimated
  from jsonb_to_record(p_usage) as u (
    model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
    tokens_reasoning bigint, cost_eur numeric, search_cost_eur numeric, estimated boolean
  )
  join hq.runs as r on r.id = p_run_id
  where u.calls > 0
  on conflict (run_id, lease_token) do update set
    model = excluded.model,
    calls = excluded.calls,
    tokens_in = excluded.tokens_in,
    tokens_out = excluded.tokens_out,
    tokens_cached = excluded.tokens_cached,
    tokens_reasoning = excluded.tokens_reasoning,
    cost_eur = excluded.cost_eur,
    search_cost_eur = excluded.search_cost_eur,
    estimated = excluded.estimated
  where (excluded.calls, excluded.cost_eur) >= (c.calls, c.cost_eur);
end
$$;
revoke execute on function hq.record_cost from public, anon, authenticated;
comment on function hq.record_cost is 'Enregistre ce qu''un bail a facturé jusqu''ici.';
