-- Make the report of a completed run the digest of its day, in Paris time, if its type is the one that feeds digests.
-- Its sections are the report's, and the lists of decisions, priorities and alerts that it leaves to be followed up.
-- A later report of the same day replaces the earlier one, but never a better one: with fewer contradictions, then
-- fewer figures that could not be verified, then written from newer data.
-- Part of the settlement's transaction, which it must never undo: what fails here is a log.
-- Raises nothing. Does nothing on the older schema, which has no digests, and for a report on one platform.
create or replace function hq.write_digest(p_run_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_run hq.runs;
  v_rank integer[];
  v_zone constant text := hq.paris_zone();
begin
  select r.* into v_run
  from hq.runs as r
  join hq.run_types as t on t.key = r.run_type
  where r.id = p_run_id and t.fills_digest and r.platform_key is null and r.executive_summary is not null;
  if not found or to_regclass('hq.morning_digests') is null then
    return;
  end if;
  v_rank := hq.rank_report(p_run_id);
  if exists (
    select
    from hq.runs as r
    where r.run_type = v_run.run_type and r.created_at > now() - interval '3 days'
      and r.status = 'completed' and r.platform_key is null and r.id <> p_run_id
      and r.executive_summary is not null
      and (r.completed_at at time zone v_zone)::date = (v_run.completed_at at time zone v_zone)::date
      and (
        hq.rank_report(r.id) < v_rank
        or hq.rank_report(r.id) = v_rank and r.started_at > v_run.started_at
      )
  ) then
    return;
  end if;
  insert into hq.morning_digests as d (
    digest_date, executive_summary, sections, data_sources, model_used, generation_duration_ms, triggered_by
  )
  values (
    (v_run.completed_at at time zone v_zone)::date,
    v_run.executive_summary,
    hq.read_sections(v_run.executive_summary) || hq.read_kept(p_run_id),
    array(
      select s.name
      from jsonb_array_elements_text(
        case when jsonb_typeof(v_run.detailed_appendix -> 'data_sources') = 'array'
          then v_run.detailed_appendix -> 'data_sources' else '[]' end
      ) with ordinality as s (name, place)
      order by s.place
    ),
    v_run.detailed_appendix ->> 'model_used',
    substring(v_run.detailed_appendix ->> 'duration_ms' from '^\d{1,9}$')::integer,
    -- The words that the screens know.
    coalesce(
      (select q.trigger from hq.run_requests as q where q.run_id = p_run_id and q.trigger = 'manual'),
      'scheduler'
    )
  )
  on conflict (digest_date) do update set
    executive_summary = excluded.executive_summary,
    sections = excluded.sections,
    data_sources = excluded.data_sources,
    model_used = excluded.model_used,
    generation_duration_ms = excluded.generation_duration_ms,
    triggered_by = excluded.triggered_by,
    created_at = now();
exception when others then
  perform hq.log_run('warn', 'digest.failed', p_run_id, jsonb_build_object('error_message', sqlerrm));
end
$$;
revoke execute on function hq.write_digest from public, anon, authenticated;
comment on function hq.write_digest is 'Fait du rapport terminé le résumé du jour, '
  'si son type le prévoit et si la table existe.';
