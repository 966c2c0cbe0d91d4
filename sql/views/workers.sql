create or replace view hq.workers with (security_invoker = true) as
select
  w.worker_id as ouvrier,
  case when hq.is_recent(w.seen_at, interval '1 minute') then 'vivant' else 'muet' end as etat,
  case
    when not hq.is_recent(w.seen_at, interval '1 minute') then '-'
    when w.realtime = 'live' then 'en direct'
    else 'dégradé : regarde toutes les 4 s'
  end as realtime,
  (select count(*) from hq.run_queue as q where q.worker_id = w.worker_id) || '/' || w.concurrency as charge,
  least(floor(extract(epoch from now() - hq.clamp_instant(w.seen_at))), 999999999)::integer as vu_il_y_a_s,
  w.version,
  hq.paris_time(w.started_at) as demarre_le
from hq.worker_heartbeats as w
order by w.seen_at desc;
comment on view hq.workers is 'Les ouvriers du dernier jour : '
  'qui vit, qui écoute Realtime en direct, sa charge, vu il y a combien de secondes.';
revoke all on hq.workers from public, anon, authenticated, service_role;
