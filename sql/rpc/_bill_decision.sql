-- Bill what the model cost for a decision, once, whatever becomes of the decision: the money was spent all the same.
-- Part of the caller's transaction. Repeating it changes nothing.
-- Raises nothing when nothing was billed.
create or replace function hq.bill_decision(p_decision_id bigint, p_usage jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_bills jsonb;
begin
  -- The last of the models is the one that answered. An object is the whole, from the release before.
  v_bills := case when jsonb_typeof(p_usage) = 'object' then jsonb_build_array(p_usage) else p_usage end;
  update hq.autopilot_decisions set
    model = v_bills -> -1 ->> 'model',
    cost_eur = (select sum((b.bill ->> 'cost_eur')::numeric) from jsonb_array_elements(v_bills) as b (bill))
  where id = p_decision_id and cost_eur is null and (v_bills -> -1 ->> 'calls')::integer > 0;
  if found then
    insert into hq.run_costs (
      lease_token, run_type, model, calls,
      tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_eur, estimated
    )
    select
      p_decision_id, 'autopilot.decision', u.model, u.calls,
      u.tokens_in, u.tokens_out, u.tokens_cached, u.tokens_reasoning, u.cost_eur, u.estimated
    from jsonb_to_recordset(v_bills) as u (
      model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
      tokens_reasoning bigint, cost_eur numeric, estimated boolean
    );
  end if;
end
$$;
revoke execute on function hq.bill_decision from public, anon, authenticated;
comment on function hq.bill_decision is 'Facture ce que le modèle a coûté pour une décision.';
