-- Write a business event that no state change goes with: a decision, a refusal worth a person's attention.
-- Not idempotent: an event sent twice is written twice.
-- Raises 22023 for metadata that the screens could not print; under each name it takes a scalar or a list of scalars.
create or replace function public.write_hq_log(p_level text, p_source text, p_message text, p_metadata jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  if exists (select from jsonb_each(p_metadata) as m where jsonb_typeof(m.value) = 'object') then
    raise exception using errcode = '22023', message = 'Metadata must be flat.';
  end if;
  perform hq.write_log(p_level, p_source, p_message, p_metadata, null);
end
$$;
revoke execute on function public.write_hq_log from public, anon, authenticated;
grant execute on function public.write_hq_log to service_role;
comment on function public.write_hq_log is 'Journalise un événement qui n''accompagne aucun changement d''état.';
