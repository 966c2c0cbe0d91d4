-- Write the real steps of a run: [{step_order, name, description, status, output, started_at, completed_at}].
-- The caller holds the run's lock, so that an update followed by an insert cannot race.
-- In plpgsql because it is called for every run: its plan is kept for the session.
-- Raises nothing of its own.
create or replace function hq.write_steps(p_run_id uuid, p_steps jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  with given as (
    select s.*
    from jsonb_to_recordset(p_steps) as s (
      step_order integer, name text, description text, status hq.run_status, output jsonb,
      started_at timestamptz, completed_at timestamptz
    )
  ),
  changed as (
    update hq.run_steps as s
    set
      name = given.name,
      description = given.description,
      status = given.status,
      output = coalesce(given.output, s.output),
      started_at = given.started_at,
      completed_at = given.completed_at
    from given
    where s.run_id = p_run_id and s.step_order = given.step_order
    returning s.step_order
  )
  insert into hq.run_steps (id, run_id, step_order, name, description, status, output, started_at, completed_at)
  select
    hq.make_id(), p_run_id, g.step_order, g.name, g.description, g.status, g.output, g.started_at, g.completed_at
  from given as g
  where g.step_order not in (select c.step_order from changed as c);
end
$$;
revoke execute on function hq.write_steps from public, anon, authenticated;
comment on function hq.write_steps is 'Écrit les étapes réelles d''une exécution.';
