-- Write one structured log through the host's insert_hq_log, whatever sources its check accepts.
-- An older schema refuses newer sources; a refused source must not undo the state change that it reports.
-- Raises nothing for a refused source: the log is kept under an older one, the wanted one in its metadata.
create or replace function hq.write_log(
  p_level text, p_source text, p_message text, p_metadata jsonb, p_run_id uuid
)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  perform public.insert_hq_log(p_level, p_source, p_message, p_metadata, p_run_id);
exception when check_violation then
  perform public.insert_hq_log(
    p_level,
    case p_source when 'autopilot' then 'scheduler' else 'edge_function' end,
    p_message,
    p_metadata || jsonb_build_object('source', p_source),
    p_run_id
  );
end
$$;
revoke execute on function hq.write_log from public, anon, authenticated;
comment on function hq.write_log is 'Écrit un journal structuré, '
  'avec une source de repli si le schéma refuse la source voulue.';
