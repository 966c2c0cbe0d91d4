-- Why: what should be closed is open. Four functions of the host trust whoever calls them, and Supabase lets anybody
--      call what nobody closed; four tables of schema hq have no row security, so one careless grant opens them.
--
-- Who may do what, once this stands:
--   anon            nothing of ours, and of the host only what a page without a login needs.
--   authenticated   asks for a run, follows it and cancels it, as owner only (request_hq_run, cancel_hq_run, get_hq_run
--                   ask public.is_owner() first); reads id, type, status and date of its runs, because Realtime
--                   checks the subscriber's rights; no other table of schema hq.
--   service_role    the workers: the functions of ours in schema public, and no table. What they may do is what these
--                   functions do, so a stolen service key cannot rewrite history through us.
--   postgres        operators in the SQL editor, and pg_cron: everything, row security aside.
-- Left open on purpose, because policies and screens run them as the caller: is_owner, has_role, has_permission,
-- get_user_permissions. Revoking those breaks the application.
--
-- The list is a table so that it stands once: hq.close_doors() closes what is in it at the end of every migration,
-- because the host may bring an object later, or make it anew and thereby open it; the doctor holds it against
-- the catalogue. Nothing is dropped and no body of a function changes. The host's own functions go on working: they are
-- SECURITY DEFINER and run as the owner of the tables, whom row security does not concern.
-- phase: expand
-- Locks: none here. hq.close_doors() takes access exclusive, for a moment, on a table whose row security it enables.
-- Undo: delete the row, then grant execute … to anon, authenticated, or alter table … disable row level security.
set local lock_timeout = '5s';

create table if not exists hq.closed_doors (
  object_name text primary key,
  kind        text not null check (kind in ('function', 'table')),
  reason      text not null
);
alter table hq.closed_doors enable row level security;
revoke all on hq.closed_doors from public, anon, authenticated, service_role;
comment on table hq.closed_doors is 'Portes fermées : fonctions que seuls le serveur et les exploitants appellent, tables sous sécurité par ligne. Tenu par hq.close_doors().';

insert into hq.closed_doors (object_name, kind, reason)
values
  -- Wrote a log of any level and source for whoever asked: anybody could forge the history and the uptime drawn from it.
  ('public.insert_hq_log', 'function', 'Écrit un journal sans demander qui appelle.'),
  -- Overwrote the morning brief that the president reads.
  ('public.upsert_hq_morning_digest', 'function', 'Remplace le brief du matin sans demander qui appelle.'),
  -- Handed out the address and the secrets of every device that receives notifications.
  ('public.get_active_push_subscriptions', 'function', 'Livre les secrets des appareils abonnés aux notifications.'),
  -- Counted against any key that it was given: anybody could use up somebody else's allowance.
  ('public.check_ip_rate_limit', 'function', 'Décompte n''importe quel quota au nom de n''importe qui.'),
  -- Unreachable until USAGE on the schema was granted for Realtime; a single unbounded delete.
  ('hq.purge_old_logs', 'function', 'Supprime les journaux en une fois ; la purge par lots la remplace.'),
  -- A trigger function: nobody has a reason to call it.
  ('hq.update_updated_at', 'function', 'Fonction de déclencheur, jamais appelée directement.'),
  -- What the president tells the assistant, and what it answers.
  ('hq.conversations', 'table', 'Conversations privées avec l''assistant.'),
  ('hq.chat_messages', 'table', 'Messages privés échangés avec l''assistant.'),
  -- The state of the whole company, each morning.
  ('hq.morning_digests', 'table', 'Briefs du matin.'),
  -- The secrets of every device.
  ('hq.push_subscriptions', 'table', 'Secrets des appareils abonnés aux notifications.')
on conflict (object_name) do nothing;
