-- Why: the time zone of Paris stood in some twenty places; hq.paris_zone() is the one place. It is made here because
--      the files of sql/rpc are applied after the migrations, in the order of their names, and some that use it come
--      before its own. And the last English comments, read by operators among French ones, become French.
-- phase: expand
-- Locks: share update exclusive on hq.run_requests, hq.run_types and hq.autopilot_decisions (ours), for a moment.
-- Undo: drop the function when the functions and views of the release before are back; the comments may stay.
set local lock_timeout = '5s';

create or replace function hq.paris_zone()
returns text
language sql
immutable
parallel safe
security definer
set search_path = ''
as $$
  select 'Europe/Paris'
$$;
revoke execute on function hq.paris_zone from public, anon, authenticated;

comment on column hq.run_requests.settled_token is 'Jeton du bail qui a terminé l''exécution : '
  'on y reconnaît une fin envoyée deux fois parce que sa réponse s''était perdue.';
comment on column hq.run_types.autopilot_default is 'Dans la liste de l''autopilote '
  'tant que la présidence n''en a pas choisi une autre.';
comment on column hq.run_types.fills_digest is 'Son rapport sur toute l''entreprise devient le résumé du jour, '
  'si l''application hôte a cette table.';
comment on column hq.autopilot_decisions.known_signals is 'Ce dont le modèle a déjà été informé '
  'et qui vaut encore : il n''est consulté que s''il y a autre chose.';
