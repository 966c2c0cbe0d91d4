-- Count the rows of a table of the host by the word in one of its columns, with sums, and the dates of their creation
-- and of their last change: {rows, cut, by: [{word, rows, sums, oldest, newest, touched}]}. A word that is not in the
-- list is 'other': what somebody typed there is never returned. What the table lacks is not read; null where there is
-- no table, {unreadable: SQLSTATE} where it cannot be read. For one platform, where the table knows platforms.
-- Read-only. 100,000 rows at most; cut says that there may be more.
-- Raises nothing.
create or replace function hq.count_by_word(
  p_table text, p_column text, p_words text[], p_sums text[] default '{}', p_platform_key text default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  c_most constant integer := 100000;
  v_word text := '''other''';
  v_dates text := '';
  v_sums text;
  v_where text := '';
  v_by jsonb;
  v_rows bigint;
begin
  if to_regclass(p_table) is null then
    return null;
  end if;
  if hq.has_column(p_table, p_column) then
    v_word := format('case when t.%1$I::text = any ($1) then t.%1$I::text else ''other'' end', p_column);
  end if;
  if p_platform_key is not null and hq.has_column(p_table, 'platform_key') then
    v_where := 'where a.platform_key = $2';
  end if;
  select string_agg(
    format(
      ', %1$L, %2$s(t.%3$I) filter (where t.%3$I between ''0001-01-02'' and now())', d.name, d.what, d.stamp
    ), ''
  ) into v_dates
  from (
    values ('oldest', 'min', 'created_at'), ('newest', 'max', 'created_at'), ('touched', 'max', 'updated_at')
  ) as d (name, what, stamp)
  where hq.has_column(p_table, d.stamp, 'D');
  -- Beyond, or not a number: not an amount.
  select string_agg(
    format('%1$L, sum(t.%1$I::numeric) filter (where t.%1$I::numeric between -1e12 and 1e12)', s.name), ', '
  ) into v_sums
  from unnest(p_sums) as s (name)
  where hq.has_column(p_table, s.name, 'N');
  execute format(
    $query$
      select coalesce(jsonb_agg(g.line order by g.rows desc, g.word), '[]'), coalesce(sum(g.rows), 0)
      from (
        select w.word, w.rows, jsonb_strip_nulls(w.line) as line
        from (
          select
            %1$s as word,
            count(*) as rows,
            jsonb_build_object(
              'word', %1$s, 'rows', count(*), 'sums', jsonb_build_object(%2$s) %3$s
            ) as line
          from (select * from %4$s as a %5$s limit %6$s) as t
          group by 1
        ) as w
      ) as g
    $query$,
    v_word, v_sums, v_dates, to_regclass(p_table), v_where, c_most
  ) into v_by, v_rows using p_words, p_platform_key;
  return jsonb_build_object('rows', v_rows, 'cut', v_rows >= c_most, 'by', v_by);
exception when others then
  return jsonb_build_object('unreadable', sqlstate);
end
$$;
revoke execute on function hq.count_by_word from public, anon, authenticated;
comment on function hq.count_by_word is 'Compte les lignes d''une table de l''hôte par état, avec sommes et dates ; '
  'jamais un texte saisi.';
