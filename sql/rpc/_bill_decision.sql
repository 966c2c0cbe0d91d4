-- Bill what the model cost for a decision, once, whatever becomes of the decision: it was spent all the same.
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
  v_usage record;
begin
  select u.* into v_usage
  from jsonb_to_record(p_usage) as u (
    model text, calls integer, tokens_in bigint, tokens_out bigint, tokens_cached bigint,
    tokens_reasoning bigint, cost_eur numeric, estimated boolean
  );
  update hq.autopilot_decisions set model = v_usage.model, cost_eur = v_usage.cost_eur
  where id = p_decision_id and cost_eur is null and v_usage.calls > 0;
  if found then
    insert into hq.run_costs (
      lease_token, run_type, model, calls,
      tokens_in, tokens_out, tokens_cached, tokens_reasoning, cost_eur, estimated
    )
    values (
      p_decision_id, 'autopilot.decision', v_usage.model, v_usage.calls,
      v_usage.tokens_in, v_usage.tokens_out, v_usage.tokens_cached, v_usage.tokens_reasoning, v_usage.cost_eur,
      v_usage.estimated
    );
  end if;
end
$$;
revoke execute on function hq.bill_decision from public, anon, authenticated;
comment on function hq.bill_decision is 'Facture ce que le modèle a coûté pour une décision.';
