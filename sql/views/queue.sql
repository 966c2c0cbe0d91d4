create or replace view hq.queue with (security_invoker = true) as
with facts as (
  select
    hq.is_paused() as is_paused,
    (select count(*) from hq.worker_heartbeats as w where hq.is_recent(w.seen_at, interval '1 minute')) as workers
),
unfinished as (
  select
    r.id, r.run_type, r.platform_key, r.status, r.created_at, r.executive_summary,
    q.run_id, q.run_at, q.attempt, q.max_attempts, q.worker_id, q.leased_until, q.priority,
    case
      when q.run_id is null then 'hors file'
      when q.worker_id is not null and q.leased_until < now() then 'sans nouvelles'
      when q.worker_id is not null then 'en cours'
      when q.run_at > now() then 'nouvel essai'
      when f.is_paused then 'en pause'
      when q.run_at < now() - interval '1 minute' then 'en retard'
      else 'en attente'
    end as etat,
    f.workers
  from hq.runs as r
  cross join facts as f
  left join hq.run_queue as q on q.run_id = r.id
  where r.status in ('pending', 'running')
)
select
  u.id as execution,
  u.run_type as type,
  u.platform_key as plateforme,
  u.etat,
  (u.attempt + 1) || '/' || u.max_attempts as essai,
  date_trunc('second', now() - hq.clamp_instant(u.created_at)) as age,
  case when u.worker_id is null then hq.paris_time(u.run_at) end as prochain_essai,
  case u.etat
    when 'hors file' then case u.status
      when 'pending' then 'Remise à pending à la main : elle entre dans la file d''ici une minute.'
      else 'L''ancien programme la dit en cours.'
    end
    when 'sans nouvelles' then 'Son ouvrier ne répond plus : un autre la reprend d''ici une minute.'
    when 'en cours' then 'Un ouvrier l''exécute.'
    when 'nouvel essai' then coalesce(
      nullif(u.executive_summary, hq.progress_summary('pending')), 'Elle est prévue pour plus tard.'
    )
    when 'en pause' then 'Tout est en pause. Pour reprendre : select hq.resume_runs();'
    else case
      when u.workers = 0 then 'Aucun ouvrier n''est en vie : regardez les machines sur Fly.io.'
      when u.etat = 'en retard' then 'Les ouvriers sont occupés : elle passe dès qu''une place se libère.'
      else 'Elle démarre dans un instant.'
    end
  end as pourquoi,
  u.worker_id as ouvrier,
  o.requester as demandee_par,
  o.trigger as declencheur
from unfinished as u
left join hq.run_requests as o on o.run_id = u.id
order by u.worker_id is null, u.priority desc, u.run_at;
comment on view hq.queue is 'Ce qui attend, tourne, est en retard ou sera retenté, et pourquoi (heures de Paris).';
revoke all on hq.queue from public, anon, authenticated, service_role;
