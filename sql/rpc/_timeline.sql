-- List everything that is known about one run, in order: request, claims, steps, attempts, logs, bills, end.
-- Read-only. Logs live for thirty days; request, steps, bills and end as long as the run.
-- Raises HQ006 unknown run.
create or replace function hq.timeline(p_run_id uuid)
returns table (heure_de_paris text, quoi text, detail text, cout_eur numeric)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if not exists (select from hq.runs as r where r.id = p_run_id) then
    raise exception using
      errcode = 'HQ006',
      message = 'Cette exécution est introuvable.',
      hint = 'Les identifiants sont dans hq.queue, hq.failures et hq.runs.';
  end if;
  return query
  with lines (instant, place, quoi, detail, cout_eur) as (
    select
      coalesce(q.created_at, r.created_at),
      0,
      'demande',
      concat_ws(
        ' · ',
        concat_ws(' ', r.run_type, r.platform_key),
        'par ' || coalesce(q.requester, '?') || ' (' || coalesce(q.trigger, 'ancien programme') || ')',
        case when q.retry_of <> r.id then 'nouvel essai de ' || q.retry_of end,
        case when q.context <> '{}' then 'contexte ' || left(q.context::text, 300) end
      ),
      null::numeric
    from hq.runs as r
    left join hq.run_requests as q on q.run_id = r.id
    where r.id = p_run_id
    union all
    select
      l.created_at,
      case
        when l.message = 'run.started' then 1
        when l.message in ('run.retried', 'run.completed', 'run.failed') then 4
        else 2
      end,
      case l.message
        when 'run.started' then 'prise'
        when 'run.retried' then 'essai manqué'
        when 'run.rescued' then 'ouvrier disparu'
        when 'run.released' then 'rendue à la file'
        when 'run.adopted' then 'remise en file'
        when 'run.dropped' then 'terminée à la main'
        when 'run.completed' then 'rapport'
        when 'run.failed' then 'échec'
        when 'run.cancelled' then 'annulation'
        else 'journal ' || l.level
      end,
      concat_ws(
        ' · ',
        case when l.message not like 'run.%' then l.message end,
        'essai ' || (l.metadata ->> 'attempt'),
        'ouvrier ' || (l.metadata ->> 'worker_id'),
        'modèle ' || case when l.message in ('run.completed', 'run.failed') then l.metadata ->> 'model_used' end,
        l.metadata ->> 'error_code',
        left(l.metadata ->> 'error_message', 300)
      ),
      null
    from hq.structured_logs as l
    where l.run_id = p_run_id
    union all
    select
      coalesce(s.started_at, s.created_at),
      2,
      'étape',
      concat_ws(
        ' · ',
        s.name,
        s.status,
        round(extract(epoch from hq.clamp_instant(s.completed_at) - hq.clamp_instant(s.started_at)) * 1000) || ' ms',
        left(s.description, 300)
      ),
      null
    from hq.run_steps as s
    where s.run_id = p_run_id
    union all
    select
      c.created_at,
      3,
      'coût',
      format('%s · %s jetons lus, %s écrits%s', c.model, c.tokens_in, c.tokens_out,
        case when c.estimated then ' · estimé d''après nos tarifs' else '' end),
      c.cost_eur
    from hq.run_costs as c
    where c.run_id = p_run_id
    union all
    select
      r.completed_at,
      5,
      'fin',
      concat_ws(
        ' · ',
        r.status,
        -- A report begins with a heading, which says nothing here.
        case when r.status <> 'completed' then nullif(left(split_part(r.executive_summary, e'\n', 1), 300), '') end,
        'en tout ' || (select sum(c.cost_eur) from hq.run_costs as c where c.run_id = p_run_id) || ' €'
      ),
      null
    from hq.runs as r
    where r.id = p_run_id and r.completed_at is not null
  )
  select hq.paris_time(t.instant), t.quoi, t.detail, t.cout_eur
  from lines as t
  order by date_trunc('milliseconds', t.instant), t.place, t.instant;
end
$$;
revoke execute on function hq.timeline from public, anon, authenticated;
comment on function hq.timeline is 'L''histoire d''une exécution, dans l''ordre : '
  'demande, prises, étapes, essais, journaux, coûts, fin.';
