-- Propose to the presidency the action that a sensitive run verified: one row of hq.actions, and the constant
-- broadcast.
-- Part of the settlement's transaction. At most one per run, however often the run is done again.
-- Does nothing for a type that requires no approval. We never execute it: approve_hq_action only records.
-- Raises nothing.
create or replace function hq.propose_action(p_run_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into hq.actions (run_id, agent_id, action_type, title, description, payload, risk_level, requires_approval)
  select
    r.id,
    r.director_agent_id,
    'run_approval',
    'À approuver : ' || t.label,
    'Le rapport de vérification est prêt : lisez-le avant de décider. '
      || 'Votre décision est enregistrée ; le QG n''exécute rien de lui-même.',
    jsonb_build_object('run_type', r.run_type, 'platform_key', r.platform_key),
    t.risk,
    true
  from hq.runs as r
  join hq.run_types as t on t.key = r.run_type
  where r.id = p_run_id and t.requires_approval
  on conflict (run_id) where action_type = 'run_approval' do nothing;
  if found then
    perform hq.announce('approval_required:' || p_run_id, 'approval_required');
  end if;
end
$$;
revoke execute on function hq.propose_action from public, anon, authenticated;
comment on function hq.propose_action is 'Propose à la présidence l''action qu''une exécution sensible a vérifiée.';
