-- Why: an attempt that asked two models was billed to the last of them; from now on a lease has a line per model.
--      The function is written here too, because the former one names the constraint that goes: between this
--      transaction and the one that writes sql/rpc, no settlement may fail. sql/rpc/_record_cost.sql is the definition.
-- phase: expand
-- Locks: access exclusive on hq.run_costs (ours) while the index is built; a year of runs takes less than a second.
-- Undo: none without loss once a lease has two lines; the former function reads and writes one line as before.
set local lock_timeout = '5s';

-- squawk-ignore ban-drop-constraint
alter table hq.run_costs drop constraint if exists run_costs_run_id_lease_token_key;
-- squawk-ignore require-concurrent-index-creation
create unique index if not exists run_costs_run_lease_model on hq.run_costs (run_id, lease_token, model);
comment on table hq.run_costs is
  'Coût réel de chaque tentative facturée (une ligne par exécution, par bail et par modèle).';

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
