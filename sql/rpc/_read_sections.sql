-- Cut a report at its headings of level 2: {title: text}. What comes before the first one has no title and is dropped.
-- Pure.
-- Raises nothing.
create or replace function hq.read_sections(p_report text)
returns jsonb
language sql
immutable
security definer
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(s.title, s.content order by s.place), '{}')
  from (
    select
      btrim(split_part(p.part, E'\n', 1)) as title,
      btrim(substr(p.part, length(split_part(p.part, E'\n', 1)) + 1), E' \n') as content,
      p.place
    from regexp_split_to_table(E'\n' || p_report, E'\n##[ \t]+') with ordinality as p (part, place)
    where p.place > 1
  ) as s
  where s.title <> ''
$$;
revoke execute on function hq.read_sections from public, anon, authenticated;
comment on function hq.read_sections is 'Parties d''un rapport, par titre.';
