-- Read what the company earned as read_hq_finance_snapshots_v2 does, with all figures of every day.
-- Deprecated: served until the release after next, because deployed workers call it.
-- Read-only. Raises nothing.
create or replace function public.read_hq_finance_snapshots(p_since date)
returns table (
  day date,
  taken_at timestamptz,
  measured boolean,
  currency text,
  mrr numeric,
  active_subscriptions integer,
  churn_rate numeric,
  figures jsonb
)
language plpgsql
stable
security definer
set search_path = ''
as $$
#variable_conflict use_column
begin
  return query select s.* from public.read_hq_finance_snapshots_v2(p_since) as s order by s.day desc;
end
$$;
revoke execute on function public.read_hq_finance_snapshots from public, anon, authenticated;
grant execute on function public.read_hq_finance_snapshots to service_role;
comment on function public.read_hq_finance_snapshots is
  'Ancienne forme de read_hq_finance_snapshots_v2, gardée pour les ouvriers déjà déployés.';
