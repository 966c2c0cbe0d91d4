-- List the latest runs, newest first, for the command line (the screens' own function is for the owner's token only).
-- Read-only. At most 500 rows.
-- Planned again each time: how many are asked for, and of which status, decides which index leads to them.
-- Raises nothing.
create or replace function public.list_hq_runs(p_limit integer default 20, p_status text default null)
returns table (
  run_id uuid,
  run_type text,
  platform_key text,
  status text,
  trigger text,
  attempt integer,
  created_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  cost_eur numeric,
  executive_summary text
)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = 'force_custom_plan'
as $$
#variable_conflict use_column
declare
  -- Null as well where no run can have such a status.
  v_status constant hq.run_status := (
    select s.word from unnest(enum_range(null::hq.run_status)) as s (word) where s.word::text = p_status
  );
begin
  if p_status is not null and v_status is null then
    return;
  end if;
  return query
  with latest as materialized (
    select r.*
    from hq.runs as r
    where v_status is null or r.status = v_status
    order by r.created_at desc, r.id
    limit least(greatest(p_limit, 0), 500)
  )
  select
    r.id,
    r.run_type,
    r.platform_key,
    r.status::text,
    request.trigger,
    coalesce(queue.attempt + 1, substring(r.detailed_appendix ->> 'attempt' from '^\d{1,9}$')::integer),
    hq.clamp_instant(r.created_at),
    hq.clamp_instant(r.started_at),
    hq.clamp_instant(r.completed_at),
    (select sum(c.cost_eur) from hq.run_costs as c where c.run_id = r.id),
    r.executive_summary
  from latest as r
  left join hq.run_requests as request on request.run_id = r.id
  left join hq.run_queue as queue on queue.run_id = r.id
  order by r.created_at desc, r.id;
end
$$;
revoke execute on function public.list_hq_runs from public, anon, authenticated;
grant execute on function public.list_hq_runs to service_role;
comment on function public.list_hq_runs is 'Dernières exécutions, pour la ligne de commande.';
