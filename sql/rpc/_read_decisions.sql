-- Read what the presidency decided, as numbers: {actions: by status, oldest_pending, approvals: {approved, rejected,
-- newest, mean_days} of 30 days, journal: by type of entry, titles}. titles: its journal's last ten decisions, only
-- where p_with_titles asks for what people typed. What the host lacks is absent.
-- Read-only.
-- Raises what the host's own types raise.
create or replace function hq.read_decisions(p_with_titles boolean)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_titles jsonb;
begin
  if p_with_titles and hq.has_column('hq.journal_entries', 'title') then
    execute
      'select coalesce(jsonb_agg(jsonb_build_object(''title'', left(j.title, 200), ''at'', j.created_at)'
      ' order by j.created_at desc), ''[]'')'
      ' from (select e.title, e.created_at from hq.journal_entries as e where e.entry_type = ''decision'''
      ' and e.created_at between now() - interval ''90 days'' and now() order by e.created_at desc limit 10) as j'
      into v_titles;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'actions', hq.count_by_word(
      'hq.actions', 'status', array['pending', 'approved', 'rejected', 'executed', 'cancelled']
    ),
    'oldest_pending', (
      select min(a.created_at) from hq.actions as a
      where a.status = 'pending' and a.requires_approval and a.created_at between '0001-01-02' and now()
    ),
    'approvals', (
      select jsonb_build_object(
        'approved', count(*) filter (where p.decision = 'approved'),
        'rejected', count(*) filter (where p.decision = 'rejected'),
        'newest', max(p.decided_at),
        -- In days: from what was proposed to what was decided.
        'mean_days', round((avg(extract(epoch from p.decided_at - a.created_at)) / 86400)::numeric, 1)
      )
      from hq.approvals as p
      join hq.actions as a on a.id = p.action_id
      where p.decided_at between now() - interval '30 days' and now()
        and a.created_at between '0001-01-02' and p.decided_at
    ),
    'journal', hq.count_by_word(
      'hq.journal_entries', 'entry_type', array['decision', 'note', 'milestone', 'reflection']
    ),
    'titles', v_titles
  ));
end
$$;
revoke execute on function hq.read_decisions from public, anon, authenticated;
comment on function hq.read_decisions is 'Décisions de la présidence : nombres, âges et dates ; les titres seulement '
  'si un réglage le demande.';
