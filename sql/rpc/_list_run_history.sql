-- List how each type of run did in the last days: how many, how they ended, how long they took, what they cost.
-- Read-only. runs_before counts the period of the same length before. Not bounded: the function that serves it is.
-- Raises nothing.
create or replace function hq.list_run_history(p_days integer)
returns table (
  run_type text,
  runs bigint,
  runs_before bigint,
  completed bigint,
  failed bigint,
  cancelled bigint,
  mean_ms bigint,
  longest_ms bigint,
  usual_error text,
  cost_eur numeric
)
language sql
stable
security definer
set search_path = ''
as $$
  with days as (
    select make_interval(days => least(greatest(p_days, 1), 366)) as length
  ),
  recent as (
    select
      r.run_type, r.status, r.created_at >= now() - d.length as is_current,
      case
        when r.status = 'completed' and r.created_at >= now() - d.length
          and isfinite(r.started_at) and isfinite(r.completed_at)
          then extract(epoch from r.completed_at - r.started_at) * 1000
      end as took_ms
    from hq.runs as r
    cross join days as d
    where r.created_at >= now() - 2 * d.length
  ),
  settled as (
    select
      r.run_type,
      count(*) filter (where r.is_current) as runs,
      count(*) filter (where not r.is_current) as runs_before,
      count(*) filter (where r.is_current and r.status = 'completed') as completed,
      count(*) filter (where r.is_current and r.status = 'failed') as failed,
      count(*) filter (where r.is_current and r.status = 'cancelled') as cancelled,
      round(avg(r.took_ms))::bigint as mean_ms,
      round(max(r.took_ms))::bigint as longest_ms
    from recent as r
    group by r.run_type
  ),
  -- Apart: of all the runs, few failed, and only their appendices are read.
  failures as (
    select r.run_type, mode() within group (order by r.detailed_appendix ->> 'error_code') as usual_error
    from hq.runs as r
    cross join days as d
    where r.status = 'failed' and r.created_at >= now() - d.length
    group by r.run_type
  ),
  billed as (
    select c.run_type, sum(c.cost_eur) as cost_eur
    from hq.run_costs as c
    cross join days as d
    where c.created_at >= now() - d.length
    group by c.run_type
  )
  select
    t.run_type, t.runs, t.runs_before, t.completed, t.failed, t.cancelled, t.mean_ms, t.longest_ms, f.usual_error,
    coalesce(b.cost_eur, 0)
  from settled as t
  left join failures as f on f.run_type = t.run_type
  left join billed as b on b.run_type = t.run_type
$$;
revoke execute on function hq.list_run_history from public, anon, authenticated;
comment on function hq.list_run_history is 'Bilan des exécutions par type sur les derniers jours, sans limite.';
