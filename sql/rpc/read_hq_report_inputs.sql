-- Read all that one report needs of the HQ's own database, in one round trip: one row per read that p_reads names,
-- with what it is given as options, {"past": {}, "earlier": {"sources": ["stripe"]}, "audience": {"routes": ["/"]},
-- …}. What is not named is not read. data is null where the host has no such table, or there is nothing; error is the
-- SQLSTATE of a read that failed, which costs that read alone.
-- Read-only. Twenty reads at most, each bounded. Numbers, dates, names of the schema, words of closed lists and
-- reports of our own: never a name, an address or a text of a person, but titles where an option asks for them.
-- Raises nothing.
create or replace function public.read_hq_report_inputs(
  p_run_type text, p_platform_key text default null, p_reads jsonb default '{}'
)
returns table (kind text, data jsonb, error text)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_options jsonb;
begin
  for kind, v_options in
    select r.key, r.value
    from jsonb_each(case when jsonb_typeof(p_reads) = 'object' then p_reads else '{}' end) as r (key, value)
    order by r.key
    limit 20
  loop
    data := null;
    error := null;
    begin
      case kind
        when 'platforms' then
          select coalesce(jsonb_agg(p order by p.name), '[]') into data
          from public.read_hq_platforms_v2(p_platform_key) as p;
        when 'past' then
          data := hq.read_past_report(p_run_type, p_platform_key);
        when 'earlier' then
          data := hq.read_earlier_facts(p_run_type, p_platform_key, hq.read_texts(v_options -> 'sources'));
        when 'commercial' then
          data := hq.read_commercial(p_platform_key);
        when 'audience' then
          data := hq.read_audience(hq.read_texts(v_options -> 'routes'));
        when 'contacts' then
          data := hq.read_contacts();
        when 'decisions' then
          data := hq.read_decisions(coalesce(v_options -> 'titles' = 'true', false));
        when 'personal_data' then
          data := hq.read_personal_data();
        when 'agents_work' then
          data := hq.read_agents_work();
        else
          error := '42704';  -- a read that a later version has
      end case;
    exception when others then
      data := null;
      error := sqlstate;
    end;
    return next;
  end loop;
end
$$;
revoke execute on function public.read_hq_report_inputs from public, anon, authenticated;
grant execute on function public.read_hq_report_inputs to service_role;
comment on function public.read_hq_report_inputs is
  'Tout ce qu''un rapport lit dans la base du QG, en un seul appel : rapport précédent, chiffres antérieurs, tables.';
