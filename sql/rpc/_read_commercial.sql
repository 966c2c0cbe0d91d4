-- Read the commercial work and the business tables as counts, sums, ages and dates, each table by its own states:
-- {deals, opportunities, calls, pipeline, campaigns, tickets, initiatives}, each as count_by_word returns it; calls has
-- also due_30d and next_deadline. What the host lacks is absent.
-- Read-only. No name, partner, project or text of anybody: words of the lists below, numbers and dates alone.
-- Raises nothing.
create or replace function hq.read_commercial(p_platform_key text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_calls jsonb := hq.count_by_word('hq.studio_calls', 'status', array[
    'to_analyze', 'relevant', 'not_relevant', 'blueprint_in_progress', 'response_in_preparation', 'submitted', 'won',
    'lost', 'recycle'
  ]);
  v_due jsonb;
begin
  if v_calls ? 'rows' and hq.has_column('hq.studio_calls', 'deadline', 'D') then
    begin
      execute format(
        'select jsonb_build_object(''due_30d'', count(*), ''next_deadline'', min(c.deadline))'
        ' from %s as c where c.deadline between current_date and current_date + 30'
        ' and c.status <> all (array[''not_relevant'', ''won'', ''lost'', ''recycle''])',
        to_regclass('hq.studio_calls')
      ) into v_due;
    exception when others then
      v_due := null;  -- the host's columns changed: the counts are there
    end;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'deals', hq.count_by_word(
      'hq.studio_deals', 'status',
      array['draft', 'proposed', 'in_negotiation', 'accepted', 'signed', 'rejected', 'archived'],
      array['cash_component', 'success_fee']
    ),
    'opportunities', hq.count_by_word('hq.studio_opportunities', 'status', array[
      'idea', 'qualified', 'blueprint_in_progress', 'ready', 'deal_proposed', 'deal_signed', 'advisory', 'archived',
      'rejected'
    ]),
    'calls', v_calls || coalesce(v_due, '{}'),
    'pipeline', hq.count_by_word(
      'hq.sales_pipeline', 'stage',
      array['lead', 'qualified', 'proposal', 'negotiation', 'closed_won', 'closed_lost'],
      array['value'], p_platform_key
    ),
    'campaigns', hq.count_by_word(
      'hq.campaigns', 'status', array['draft', 'pending_approval', 'active', 'paused', 'completed'],
      array['budget'], p_platform_key
    ),
    'tickets', hq.count_by_word(
      'hq.support_tickets', 'status', array['open', 'in_progress', 'waiting', 'resolved', 'closed'],
      '{}', p_platform_key
    ),
    'initiatives', hq.count_by_word(
      'hq.product_initiatives', 'status', array['backlog', 'planned', 'in_progress', 'completed', 'cancelled'],
      '{}', p_platform_key
    )
  ));
end
$$;
revoke execute on function hq.read_commercial from public, anon, authenticated;
comment on function hq.read_commercial is 'Travail commercial et tables métier : nombres, sommes, âges et dates, '
  'jamais un nom ni un texte.';
