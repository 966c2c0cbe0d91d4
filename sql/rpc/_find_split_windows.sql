-- Find keys of the host's rate limit that were counted in two windows at once, which doubles their limit.
-- Read-only. Seen in what its function wrote, whatever the function's text says; a window lives until it has passed.
-- Raises nothing; no row where the host has no such table, or one of another form.
create or replace function hq.find_split_windows()
returns table (bucket_key text)
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if to_regclass('public.rate_limit_buckets') is null then
    return;
  end if;
  return query
    select distinct b.bucket_key::text
    from public.rate_limit_buckets as b
    join public.rate_limit_buckets as other
      on other.bucket_key = b.bucket_key
      and other.window_start > b.window_start
      -- Two limits of one key, by the minute and by the hour, are meant.
      and other.expires_at - other.window_start = b.expires_at - b.window_start
      and other.window_start < b.expires_at;
exception when undefined_column or undefined_function then
  -- The table is the host's: another form of it is no fault.
  return;
end
$$;
revoke execute on function hq.find_split_windows from public, anon, authenticated;
comment on function hq.find_split_windows is 'Quotas de l''application hôte comptés dans deux fenêtres à la fois.';
