-- Refuse a call because another session holds what it needs, such as a transaction left open in the SQL editor: waiting
-- would end in a timeout later on, and keep a connection from everybody else until then.
-- Read-only. Called by handlers of lock_not_available.
-- Raises HQ008, always.
create or replace function hq.refuse_held()
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  raise exception using
    errcode = 'HQ008',
    message = 'Une autre session tient cette file, le plus souvent une transaction restée ouverte dans un éditeur SQL. '
      'Rien n''a été fait : réessayez dans quelques secondes.',
    hint = 'Si cela dure, terminez-la par commit ou rollback. Qui la tient : select pid, usename, xact_start, '
      'left(query, 80) from pg_stat_activity where state like ''idle in transaction%'' order by xact_start;';
end
$$;
revoke execute on function hq.refuse_held from public, anon, authenticated;
comment on function hq.refuse_held is 'Refuse une action parce qu''une autre session tient ce qu''il lui faut.';
