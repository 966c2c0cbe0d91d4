-- Return whether a moment is recent: no older than p_within, and not ahead of the clock by more than a minute.
-- What is ahead was written before the clock was put back: taken for fresh, it would hide whatever fell silent since.
-- Read-only. Raises nothing.
create or replace function hq.is_recent(p_at timestamptz, p_within interval)
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
  select p_at > now() - p_within and p_at < now() + interval '1 minute'
$$;
revoke execute on function hq.is_recent from public, anon, authenticated;
comment on function hq.is_recent is 'Un instant est récent : ni trop ancien, ni en avance sur l''horloge.';
