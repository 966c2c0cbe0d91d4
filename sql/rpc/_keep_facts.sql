-- Keep the facts that a settlement brings as evidence. Part of its transaction, which it must never undo: a fact that
-- cannot be kept costs itself.
-- Locks, and idempotent, as store_facts.
-- Raises nothing.
create or replace function hq.keep_facts(p_run_id uuid, p_evidence jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_fact jsonb;
begin
  begin
    perform hq.store_facts(p_run_id, p_evidence);
    return;
  exception when others then
    null;  -- one of them is no fact after all: each for itself
  end;
  for v_fact in select g.fact from hq.list_given_facts(p_evidence) as g order by g.place limit 200 loop
    begin
      perform hq.store_facts(p_run_id, jsonb_build_array(jsonb_build_object(
        'evidence_type', 'facts', 'data', jsonb_build_object('facts', jsonb_build_array(v_fact))
      )));
    exception when others then
      null;
    end;
  end loop;
end
$$;
revoke execute on function hq.keep_facts from public, anon, authenticated;
comment on function hq.keep_facts is 'Garde les chiffres qu''une exécution apporte parmi ses preuves ; '
  'celui qui est illisible ne coûte que lui-même.';
