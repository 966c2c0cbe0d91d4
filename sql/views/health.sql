create or replace view hq.health with (security_invoker = true) as
-- What emocare doctor examines, said to an operator.
with sentences (code, controle, if_green, otherwise) as (
  values
    (
      'schema_variant',
      'Schéma de l''application',
      'Le schéma est connu.',
      'Le schéma n''est pas reconnu.'
    ),
    (
      'log_source',
      'Sources des journaux',
      'Les journaux portent leur vraie source.',
      'Ancien schéma : les journaux sont gardés sous la source edge_function.'
    ),
    (
      'realtime_publication',
      'Publication Realtime',
      'hq.runs est publiée.',
      'hq.runs n''est pas publiée : les exécutions démarrent en 4 s au lieu d''un instant. Lancez emocare migrate.'
    ),
    (
      'realtime_grant',
      'Droits Realtime',
      'Les événements de hq.runs parviennent à ce rôle.',
      'Aucun événement de hq.runs ne parvient à ce rôle. Lancez emocare migrate.'
    ),
    (
      'runs_trigger',
      'Déclencheur de hq.runs',
      'Une ligne insérée à la main part aussitôt.',
      'Une ligne insérée à la main attend jusqu''à une minute. Lancez emocare migrate.'
    ),
    (
      'function',
      'Fonctions des ouvriers',
      'Elle est en place.',
      'Elle manque ou n''est pas permise. Lancez emocare migrate.'
    ),
    (
      'run_types',
      'Types d''exécution',
      'Le registre est en place.',
      'Le registre est vide. Lancez emocare migrate.'
    ),
    (
      'workers',
      'Ouvriers',
      'Des ouvriers sont en vie.',
      'Aucun ouvrier n''a donné signe de vie depuis une minute : rien ne démarre. Regardez les machines sur Fly.io.'
    ),
    (
      'oldest_waiting_run',
      'File d''attente',
      'Rien n''attend trop longtemps.',
      'Une exécution attend depuis plus d''une minute : select * from hq.queue; dit pourquoi.'
    ),
    (
      'large_table_indexes',
      'Index des grandes tables',
      'Aucune grande table n''est lue en entier.',
      'Il en manque : des tables entières sont lues à chaque exécution, et tout ralentit avec les mois. '
      'Lancez emocare migrate ou, une par une, les dernières instructions de emocare sql.'
    ),
    (
      'log_retention',
      'Conservation des journaux',
      'Les journaux expirés sont purgés.',
      'Rien n''est purgé : corrigez log_retention dans hq.system_config, ou lancez call hq.purge_expired();'
    ),
    (
      'closed_doors',
      'Portes fermées',
      'Ce qui doit être fermé l''est.',
      'L''application hôte a rouvert une porte. Lancez emocare migrate, qui la referme.'
    ),
    (
      'odd_rows',
      'Lignes illisibles',
      'Toutes les lignes se lisent.',
      'Des lignes portent une valeur illisible et sont laissées de côté : corrigez celles que le détail nomme.'
    ),
    (
      'dead_letters_due',
      'Lettres mortes échues',
      'L''ancien programme ne relance rien.',
      'L''ancien programme relancerait des demandes de lui-même. Lancez emocare migrate, qui les retient.'
    ),
    (
      'channels',
      'Canaux',
      'Ce qui compte est envoyé hors des écrans.',
      'Personne n''est prévenu hors des écrans. '
      'L''équipe technique indique où écrire, par exemple un e-mail, dans NOTIFY_URLS.'
    ),
    (
      'channel',
      'Canal',
      'Le dernier message a été accepté.',
      'Le dernier message n''a pas été accepté. Le guide explique le détail (« Être prévenu »).'
    ),
    (
      'channel_refused',
      'Canal',
      'Le dernier message a été accepté.',
      'Le service refuse tout message : adresse, mot de passe ou jeton à corriger dans NOTIFY_URLS. '
      'Au redémarrage des ouvriers, ce qui attend depuis moins d''un jour part aussitôt.'
    ),
    (
      'devices',
      'Appareils',
      'Des appareils sont abonnés.',
      'Aucun appareil n''est abonné, ou un abonnement ne marche pas : '
      'sur l''appareil, « Désactiver » puis « Activer ».'
    ),
    (
      'plan',
      'Plan des exécutions',
      'Le plan est suivi.',
      'Le plan est retenu (pause, bouton d''urgence, budget), échoue, ou n''est plus examiné : le détail le dit.'
    ),
    (
      'cron_job',
      'Tâche pg_cron',
      'Elle passe à l''heure.',
      'Elle manque, est éteinte, échoue, ou l''application hôte a mis autre chose sous son nom : le détail le dit. '
      'emocare migrate la remet en place, sans la rallumer.'
    ),
    (
      'pg_cron',
      'pg_cron',
      'pg_cron est actif.',
      'pg_cron n''est pas activé : les ouvriers font son travail tant qu''il en vit un.'
    )
),
examined as (
  select
    case when s.code is null then b.name else concat_ws(' ', s.controle, b.subject) end as controle,
    -- To the doctor that may be before the first start; to an operator nothing works.
    case when b.code = 'workers' and b.state = 'amber' then 'red' else b.state end as etat,
    coalesce(case b.state when 'green' then s.if_green else s.otherwise end, 'Voir le détail.') as phrase,
    b.detail
  from public.inspect_hq_backend_v2() as b
  left join sentences as s on s.code = b.code
  -- The host's own faults are not an operator's to mend; the doctor reports them.
  where b.code <> 'host_fault'
),
-- What the doctor does not examine: how the work goes.
realtime (controle, etat, phrase, detail) as (
  select
    'Realtime',
    case when count(*) filter (where w.realtime <> 'live') > 0 then 'amber' else 'green' end,
    case
      when count(*) filter (where w.realtime_fault = 'PrivateOnly') > 0
        then 'Le projet Supabase n''admet que les canaux privés : les exécutions démarrent en 4 s, '
          'et les pages ouvertes ne reçoivent aucune annonce. '
          'Réactivez « Allow public access » dans les réglages de Realtime.'
      when count(*) filter (where w.realtime <> 'live') > 0
        then 'Un ouvrier n''écoute plus en direct : ses exécutions démarrent en 4 s. '
          'Rien à faire, il se rebranche seul.'
      else 'Les ouvriers en vie écoutent en direct.'
    end,
    string_agg(concat_ws(' ', w.worker_id, w.realtime, w.realtime_reason), ', ')
  from hq.worker_heartbeats as w
  where hq.is_recent(w.seen_at, interval '1 minute')
),
pause_setting as (
  select
    max(concat_ws(' · ', c.value ->> 'reason', c.value ->> 'since')) as detail,
    bool_or(
      c.value not in ('true', 'false')
      and coalesce(c.value ->> 'paused', '') not in ('true', 'false')
    ) as is_odd
  from hq.system_config as c
  where c.key = 'runs_paused'
),
pause (controle, etat, phrase, detail) as (
  select
    'Pause',
    case when hq.is_paused() or p.is_odd then 'amber' else 'green' end,
    case
      when hq.is_paused()
        then 'Tout est en pause, rien ne démarre. Pour reprendre : select hq.resume_runs();'
      when p.is_odd
        then 'Le réglage runs_paused est illisible : rien n''est en pause. '
          'Pour la demander : select hq.pause_runs(''motif'');'
      else 'Rien n''est en pause.'
    end,
    p.detail
  from pause_setting as p
),
budget_state as (
  select b.* from hq.budget_state() as b
),
budget_setting as (
  select
    bool_or(
      jsonb_typeof(c.value) <> 'object'
      or c.value <> '{}' and not c.value ?| array['monthly_target_eur', 'alert_threshold_pct', 'alerts_enabled']
      or case jsonb_typeof(s.given)
        when 'number' then round(s.given::numeric, 2) <> s.applied
        else s.given is not null
      end
    ) as is_odd
  from hq.system_config as c
  cross join budget_state as b
  cross join lateral (
    values
      (c.value -> 'monthly_target_eur', b.target_eur),
      (c.value -> 'alert_threshold_pct', b.threshold_pct)
  ) as s (given, applied)
  where c.key = 'ai_budget'
),
budget (controle, etat, phrase, detail) as (
  select
    'Budget IA',
    case
      when b.is_exhausted then 'red'
      when b.is_warned or o.is_odd then 'amber'
      else 'green'
    end,
    case
      when b.is_exhausted
        then 'Le budget du mois est épuisé : le plan et l''autopilote ne lancent plus rien.'
      when b.is_warned
        then 'Le seuil d''alerte du budget est atteint : select * from hq.costs_by_platform; dit où.'
      when o.is_odd
        then 'Le réglage ai_budget est illisible : le budget appliqué est celui du détail. '
          'Corrigez-le dans hq.system_config.'
      else 'Le budget du mois est tenu.'
    end,
    format('%s € sur %s € (%s %%)', round(b.month_cost_eur, 2), b.target_eur, b.pct_used)
  from budget_state as b
  cross join budget_setting as o
),
breaker (controle, etat, phrase, detail) as (
  select
    'Disjoncteur',
    case when count(*) > 0 then 'amber' else 'green' end,
    case
      when count(*) > 0
        then 'Le service d''IA a été laissé au repos dans l''heure : ses pannes ont coûté des exécutions.'
      else 'Rien ne dit qu''il se soit ouvert dans l''heure. '
        'Chaque ouvrier a le sien : GET /functions/v1/healthz le montre.'
    end,
    format('breaker_open: %s', count(*))
  from hq.runs as r
  where r.completed_at > now() - interval '1 hour'
    and r.detailed_appendix ->> 'error_code' = 'breaker_open'
),
models (controle, etat, phrase, detail) as (
  select
    'Modèles d''IA',
    case when count(*) > 0 then 'amber' else 'green' end,
    case
      when count(*) > 0
        then 'Modèle retiré : le service d''IA ne le propose plus, le suivant de sa liste écrit à sa place. '
          'L''équipe technique l''enlève des réglages LLM_MODELS_….'
      else 'Aucun modèle retiré n''a été rencontré depuis un jour.'
    end,
    string_agg(distinct l.metadata ->> 'model', ', ')
  from hq.structured_logs as l
  where l.message = 'model.retired' and l.created_at > now() - interval '25 hours'
),
failed (controle, etat, phrase, detail) as (
  select
    'Échecs',
    case when count(*) > 0 then 'amber' else 'green' end,
    case
      when count(*) > 0
        then 'Des exécutions ont échoué depuis 24 h : select * from hq.failures; dit pourquoi et que faire.'
      else 'Aucune exécution n''a échoué depuis 24 h.'
    end,
    count(*)::text
  from hq.runs as r
  where r.status = 'failed' and r.completed_at > now() - interval '24 hours'
),
dead_letters (controle, etat, phrase, detail) as (
  select
    'Lettres mortes',
    case when d.waiting > 0 then 'amber' else 'green' end,
    case
      when d.waiting > 0
        then 'Des demandes attendent qu''une personne les relance : select * from hq.retry_run(…);'
      else 'Aucune demande n''attend d''être relancée.'
    end,
    format('en attente %s, relancées %s', d.waiting, d.under_way)
  from hq.count_dead_letters() as d
)
select h.controle, h.etat, h.phrase, h.detail
from (
  table examined
  union all table realtime
  union all table pause
  union all table budget
  union all table breaker
  union all table models
  union all table failed
  union all table dead_letters
) as h
order by array_position(array['red', 'amber', 'green'], h.etat), h.controle;
comment on view hq.health is 'Un contrôle par ligne, le plus grave d''abord : '
  'green (bien), amber (marche moins bien), red (ne marche pas).';
revoke all on hq.health from public, anon, authenticated, service_role;
