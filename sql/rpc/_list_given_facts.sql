-- List what a settlement's evidence gives as facts, whatever it is: the elements of its first row of type facts, in
-- order, a thousand at most.
-- Pure. In plpgsql because it is called for every report: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.list_given_facts(p_evidence jsonb)
returns table (fact jsonb, place bigint)
language plpgsql
immutable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  select e.fact, e.place
  from jsonb_path_query_first(p_evidence, 'lax $[*] ? (@.evidence_type == "facts").data.facts') as given (facts)
  cross join lateral jsonb_array_elements(
    case when jsonb_typeof(given.facts) = 'array' then given.facts else '[]' end
  ) with ordinality as e (fact, place)
  order by e.place
  limit 1000;
end
$$;
revoke execute on function hq.list_given_facts from public, anon, authenticated;
comment on function hq.list_given_facts is 'Ce que les preuves d''une exécution donnent pour des chiffres, tel quel.';
