-- Return the texts of a JSON list, a hundred at most; none of anything else.
-- Pure. In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing.
create or replace function hq.read_texts(p_list jsonb)
returns text[]
language plpgsql
immutable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return array(
    select e.item #>> '{}'
    from jsonb_array_elements(
      case when jsonb_typeof(p_list) = 'array' then p_list else '[]' end
    ) with ordinality as e (item, place)
    where jsonb_typeof(e.item) = 'string'
    order by e.place
    limit 100
  );
end
$$;
revoke execute on function hq.read_texts from public, anon, authenticated;
comment on function hq.read_texts is 'Textes d''une liste JSON.';
