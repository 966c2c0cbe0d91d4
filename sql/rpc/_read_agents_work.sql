-- Read what each agent did in 30 days: [{agent, runs, runs_before, completed, failed, cancelled, mean_ms, cost_eur}],
-- the busiest first, forty at most. Runs of a type that the registry no longer has count as nobody's.
-- Read-only. A moment that no reader can hold costs itself.
-- Raises nothing.
create or replace function hq.read_agents_work()
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return (
    with recent as (
      select
        r.run_type, r.status, r.created_at >= now() - interval '30 days' as is_current,
        case
          when r.status = 'completed' and r.created_at >= now() - interval '30 days'
            and r.started_at between now() - interval '60 days' and now()
            and r.completed_at between r.started_at and now()
            then r.completed_at - r.started_at
        end as took
      from hq.runs as r
      where r.created_at >= now() - interval '60 days' and r.created_at <= now()
    ),
    by_type as materialized (
      select
        r.run_type,
        count(*) filter (where r.is_current) as runs,
        count(*) filter (where not r.is_current) as runs_before,
        count(*) filter (where r.is_current and r.status = 'completed') as completed,
        count(*) filter (where r.is_current and r.status = 'failed') as failed,
        count(*) filter (where r.is_current and r.status = 'cancelled') as cancelled,
        extract(epoch from sum(r.took)) as took_seconds,
        count(r.took) as timed
      from recent as r
      group by r.run_type
    ),
    billed as materialized (
      select c.run_type, sum(c.cost_eur) as cost_eur
      from hq.run_costs as c
      where c.created_at >= now() - interval '30 days'
      group by c.run_type
    ),
    by_agent as (
      select
        t.agent,
        sum(b.runs) as runs,
        sum(b.runs_before) as runs_before,
        sum(b.completed) as completed,
        sum(b.failed) as failed,
        sum(b.cancelled) as cancelled,
        round(1000 * sum(b.took_seconds) / nullif(sum(b.timed), 0)) as mean_ms,
        coalesce(sum(c.cost_eur), 0) as cost_eur
      from by_type as b
      left join hq.run_types as t on t.key = b.run_type
      left join billed as c on c.run_type = b.run_type
      group by t.agent
      order by 2 desc, 1
      limit 40
    )
    select coalesce(jsonb_agg(to_jsonb(a) order by a.runs desc, a.agent), '[]')
    from by_agent as a
  );
end
$$;
revoke execute on function hq.read_agents_work from public, anon, authenticated;
comment on function hq.read_agents_work is 'Travail de chaque agent sur 30 jours : exécutions, issues, durée, coût.';
