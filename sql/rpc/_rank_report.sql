-- Rank a report by what its verification found: the smallest is the best; one that was never verified comes last.
-- Read-only.
-- Raises nothing.
create or replace function hq.rank_report(p_run_id uuid)
returns integer[]
language sql
stable
security definer
set search_path = ''
as $$
  select coalesce(
    (
      select array[
        coalesce(substring(e.data ->> 'contradicted' from '^\d{1,6}$')::integer, 1000000),
        coalesce(substring(e.data ->> 'unverified' from '^\d{1,6}$')::integer, 1000000)
      ]
      from hq.run_evidence as e
      where e.run_id = p_run_id and e.evidence_type = 'verification'
      order by e.created_at desc
      limit 1
    ),
    array[1000000, 1000000]
  )
$$;
revoke execute on function hq.rank_report from public, anon, authenticated;
comment on function hq.rank_report is 'Rang d''un rapport d''après sa vérification : le plus petit est le meilleur.';
