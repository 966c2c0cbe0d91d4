-- List what may call for a run beside the plan: runs that failed within a day and were not made good, red platforms,
-- and planned reports that the latest slot did not bring.
-- Read-only. Texts are foreign (an error, a platform's name): bounded here, and fenced by whoever puts them in a prompt.
-- Raises nothing.
create or replace function hq.list_signals()
returns table (key text, kind text, subject text, detail text)
language sql
stable
security definer
set search_path = ''
as $$
  (
    select
      'failure:' || r.id, 'failure', r.run_type || coalesce(' · ' || r.platform_key, ''),
      left(r.executive_summary, 300)
    from hq.runs as r
    where r.status = 'failed'
      and r.completed_at > now() - interval '1 day'
      and not exists (
        select from hq.runs as later
        where later.run_type = r.run_type
          and later.platform_key is not distinct from r.platform_key
          and later.status = 'completed'
          and later.completed_at > r.completed_at
      )
    order by r.completed_at desc, r.id
    limit 20
  )
  union all
  (
    select 'red:' || p.key, 'red', left(p.name, 80), left(p.status_reason, 300)
    from hq.platforms as p
    where p.status = 'red'
    order by p.key
    limit 20
  )
$$;
revoke execute on function hq.list_signals from public, anon, authenticated;
comment on function hq.list_signals is 'Ce qui peut justifier un ajout au plan : échecs, plateformes au rouge, revues en retard.';
