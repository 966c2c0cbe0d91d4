-- List the ways in which a run can fail: what happened, what an operator does about it, and whether the request becomes
-- a dead letter. It does not where asking again cannot help, where a person decided, or where an older program ran the
-- run and keeps its own letters.
-- Read-only; the one place where this is written down. The guide shows the same table.
-- Raises nothing.
create or replace function hq.list_failure_codes()
returns table (code text, ce_qui_s_est_passe text, que_faire text, lettre_morte boolean)
language sql
immutable
security definer
rows 20
set search_path = ''
as $$
  values
    ('gateway_out_of_credit', 'plus de crédits IA', 'recharger le compte, puis relancer', false),
    (
      'gateway_rate_limited', 'trop de demandes au service d''IA',
      'rien : trois essais espacés ont été faits ; relancer plus tard', true
    ),
    ('gateway_unavailable', 'service d''IA en panne', 'relancer quand il est revenu', true),
    ('breaker_open', 'service d''IA en panne, laissé au repos', 'relancer quand il est revenu', true),
    (
      'gateway_answer_unusable', 'réponse vide ou tronquée',
      'relancer ; si cela se répète, prévenir l''équipe technique', true
    ),
    (
      'report_unusable', 'rapport rendu mais inacceptable (forme, langue, affirmation fausse), même redemandé',
      'relancer ; si cela se répète, changer de modèle (LLM_MODELS_…) ; les fautes : preuve « verification »', true
    ),
    (
      'gateway_rejected', 'clé, modèle ou format refusé',
      'vérifier LOVABLE_API_KEY (emocare doctor), puis relancer', true
    ),
    (
      'lease_lost', 'l''ouvrier a disparu trois fois',
      'regarder la mémoire et les redémarrages sur Fly.io, puis relancer', true
    ),
    ('run_timed_out', 'plus de dix minutes', 'relancer ; si cela se répète, prévenir l''équipe technique', true),
    (
      'run_stuck', 'une ancienne fonction l''a laissée « en cours » plus de 15 minutes',
      'relancer si le rapport est encore utile', false
    ),
    (
      'backend_unavailable', 'la base de données n''a pas répondu, trois fois',
      'rien n''est perdu : relancer quand Supabase est revenu', true
    ),
    (
      'backend_rejected', 'la base de données a refusé une écriture ou une lecture',
      'emocare doctor, puis emocare migrate si le schéma est en cause', true
    ),
    (
      'internal_error', 'erreur imprévue de notre code, trois fois',
      'prévenir l''équipe technique : les journaux de l''ouvrier disent où', true
    ),
    ('ended_by_hand', 'quelqu''un a mis la ligne à failed', 'rien, ou relancer', false),
    ('unknown_run_type', 'type inconnu du registre', 'corriger run_type', false),
    ('unknown_platform', 'plateforme inconnue du QG', 'corriger platform_key', false),
    ('invalid_request', 'demande incomplète ou mal formée', 'corriger la demande', false),
    ('context_too_large', 'contexte trop volumineux', 'raccourcir le contexte', false),
    ('cancelled', 'annulée', 'rien', false)
$$;
revoke execute on function hq.list_failure_codes from public, anon, authenticated;
comment on function hq.list_failure_codes is 'Codes d''échec : '
  'ce qui s''est passé, que faire, et si la demande est gardée parmi les lettres mortes.';
