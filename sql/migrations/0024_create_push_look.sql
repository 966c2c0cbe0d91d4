-- Why: every open page asks for a look at what should be announced, on a channel that anybody can forge: a look happens
--      at most once a minute, and whoever asks meanwhile gets what the last one counted.
-- phase: expand
-- Locks: none on existing tables.
-- Undo: drop the table.
set local lock_timeout = '5s';

create table if not exists hq.push_look (
  is_only         boolean primary key default true check (is_only),
  looked_at       timestamptz not null default '-infinity',
  failed_runs     integer not null default 0,
  red_platforms   integer not null default 0,
  stale_approvals integer not null default 0,
  sent            integer not null default 0,
  logged_at       timestamptz not null default '-infinity'
);
insert into hq.push_look default values on conflict do nothing;
comment on table hq.push_look is
  'Dernier regard sur ce qui mérite une notification, et ce qu''il a compté (une seule ligne).';
comment on column hq.push_look.logged_at is 'Dernière ligne écrite au journal (source push-triggers).';

alter table hq.push_look enable row level security;
revoke all on hq.push_look from public, anon, authenticated, service_role;
