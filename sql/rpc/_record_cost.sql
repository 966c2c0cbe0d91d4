-- Record what one lease has billed so far: an array of totals, one per model. Totals only grow: repeating is harmless,
-- and so is what arrives late. An object is the whole of a lease under the last model, from the release before.
-- Deliberately not fenced: money that a worker spent before it lost its lease was spent all the same, and the rows
-- belong to that lease alone. In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing when nothing was billed.
create or replace function hq.record_cost(p_run_id uuid, p_lease_token bigint, p_usage jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = 'force_generic_plan'
as $$
#variable_conflict use_column
declare
  v_whole boolean := jsonb_typeof(p_usage) = 'object';
begin
  if v_whole then
    delete from hq.run_costs as c
    where c.run_id = p_run_id and c.lease_token = p_lease_token and c.model <> p_usage ->> 'model'
      and (c.calls, c.cost_eur) < ((p_usage ->> 'calls')::integer, (p_usage ->> 'cost_eur')::numeric);
  end if;
  insert into hq.run_costs as c (
    run_id, lease_token, run_type, platform_key, model, calls,
    tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_eur, search_cost_eur, estimated
  )
  select
    r.id, p_lease_token, r.run_type, r.platform_key, u.model, u.calls,
    u.tokens_in, u.tokens_out, u.tokens_cached, u.tokens_reasoning, u.cost_eur,
    coalesce(u.search_cost_eur, 0), u.estimated
  from jsonb_to_recordset(case when v_whole then jsonb_build_array(p_usage) else p_usage end) as u (
    model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
    tokens_reasoning bigint, cost_eur numeric, search_cost_eur numeric, estimated boolean
  )
  join hq.runs as r on r.id = p_run_id
  where u.calls > 0
    and not (v_whole and exists (
      select from hq.run_costs as other
      where other.run_id = p_run_id and other.lease_token = p_lease_token and other.model <> u.model
    ))
  order by u.model
  on conflict (run_id, lease_token, model) do update set
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
comment on function hq.record_cost is 'Enregistre ce qu''un bail a facturé jusqu''ici, modèle par modèle.';
