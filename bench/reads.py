"""Every read of ours, with a call that shows its worst; tests compare the list with the catalogue.

A call names what it asks for: %(run)s, %(failed)s and %(type)s are taken from the history that is behind it.
"""

from typing import Final

# Those that the screens, the command line, the workers and operators call, and those inside them: each is called here
# with as much as it ever answers.
READS: Final[dict[str, str]] = {
    # Operators' views.
    "hq.autopilot_journal": "select * from hq.autopilot_journal limit 20",
    "hq.costs_by_platform": "select * from hq.costs_by_platform",
    "hq.failures": "select * from hq.failures",
    "hq.health": "select * from hq.health",
    "hq.queue": "select * from hq.queue",
    "hq.workers": "select * from hq.workers",
    # For the screens, the command line and the workers.
    "public.count_hq_catalogue": "select * from public.count_hq_catalogue()",
    "public.count_hq_open_matters": "select * from public.count_hq_open_matters()",
    "public.follow_hq_logs": "select * from public.follow_hq_logs(now() - interval '29 days')",
    "public.get_hq_ai_costs": "select * from public.get_hq_ai_costs((now() - interval '40 days')::date)",
    "public.get_hq_autopilot_journal": "select * from public.get_hq_autopilot_journal(500)",
    "public.get_hq_budget_state": "select * from public.get_hq_budget_state()",
    "public.get_hq_delivery_state": "select * from public.get_hq_delivery_state()",
    "public.get_hq_queue_state": "select * from public.get_hq_queue_state()",
    "public.get_hq_run": "select * from public.get_hq_run(%(run)s)",
    "public.get_hq_schema_state": "select * from public.get_hq_schema_state()",
    "public.inspect_hq_backend": "select * from public.inspect_hq_backend()",
    "public.inspect_hq_backend_v2": "select * from public.inspect_hq_backend_v2()",
    "public.list_hq_devices": "select * from public.list_hq_devices()",
    "public.list_hq_jobs": "select * from public.list_hq_jobs()",
    "public.list_hq_last_runs": (
        "select * from public.list_hq_last_runs((select array_append(array_agg(key), 'NEVER_RUN') from hq.run_types))"
    ),
    "public.list_hq_logs": "select * from public.list_hq_logs(500)",
    "public.list_hq_runs": "select * from public.list_hq_runs(500)",
    "public.list_hq_traceparents": (
        "select * from public.list_hq_traceparents(array(select id from hq.runs order by created_at desc limit 100))"
    ),
    "public.read_hq_catalogue": "select * from public.read_hq_catalogue()",
    "public.read_hq_finance_snapshots": (
        "select * from public.read_hq_finance_snapshots((now() - interval '13 months')::date)"
    ),
    "public.read_hq_finance_snapshots_v2": (
        "select * from public.read_hq_finance_snapshots_v2((now() - interval '13 months')::date)"
    ),
    "public.read_hq_open_matters": "select * from public.read_hq_open_matters()",
    "public.read_hq_overview": "select public.read_hq_overview()",
    "public.read_hq_platforms": "select * from public.read_hq_platforms()",
    "public.read_hq_platforms_v2": "select * from public.read_hq_platforms_v2()",
    "public.read_hq_report_inputs": (
        "select * from public.read_hq_report_inputs(%(type)s, null, "
        """'{"platforms": {}, "past": {}, "earlier": {"sources": ["stripe"]}, "decisions": {"titles": true}}')"""
    ),
    "public.read_hq_run_history": "select * from public.read_hq_run_history(30)",
    "public.sum_hq_run_history": "select * from public.sum_hq_run_history(30)",
    # Inside them, and for operators.
    "hq.budget_state": "select * from hq.budget_state(now() - interval '40 days')",
    "hq.caller": "select hq.caller()",
    "hq.check_key_use": "select hq.check_key_use('bench-2', 'never used', %(type)s, null, '')",
    "hq.check_request": "select hq.check_request(%(type)s, null, '{}', 'manual', null)",
    "hq.count_by_word": "select hq.count_by_word('hq.actions', 'status', array['approved'])",
    "hq.count_dead_letters": "select * from hq.count_dead_letters()",
    "hq.describe_failure": "select hq.describe_failure(%(failed)s)",
    "hq.describe_run": "select * from hq.describe_run(%(run)s, %(type)s, null, '{}')",
    "hq.due_slots": "select * from hq.due_slots(now() - interval '1 day', now())",
    "hq.find_autopilot_failure": "select hq.find_autopilot_failure('-infinity')",
    "hq.find_dead_letters": "select * from hq.find_dead_letters()",
    "hq.find_director": "select hq.find_director(%(type)s)",
    "hq.find_odd_rows": "select * from hq.find_odd_rows()",
    "hq.find_open_doors": "select * from hq.find_open_doors()",
    "hq.find_split_windows": "select * from hq.find_split_windows()",
    "hq.has_column": "select hq.has_column('hq.runs', 'id')",
    "hq.has_index": "select hq.has_index('hq.runs', array['created_at'], 'hq.runs_created')",
    "hq.inspect_cron_jobs": "select * from hq.inspect_cron_jobs()",
    "hq.inspect_host": "select * from hq.inspect_host()",
    "hq.inspect_notifications": "select * from hq.inspect_notifications()",
    "hq.inspect_plan": "select * from hq.inspect_plan()",
    "hq.is_paused": "select hq.is_paused()",
    "hq.is_recent": "select hq.is_recent(now(), interval '1 minute')",
    "hq.list_catalogue": "select * from hq.list_catalogue()",
    "hq.list_cost_months": "select * from hq.list_cost_months()",
    "hq.list_devices": "select * from hq.list_devices()",
    "hq.list_open_matters": "select * from hq.list_open_matters(null)",
    "hq.list_personal_columns": "select * from hq.list_personal_columns()",
    "hq.list_run_history": "select * from hq.list_run_history(30)",
    "hq.list_signals": "select * from hq.list_signals()",
    "hq.measure_uptime": "select * from hq.measure_uptime((select key from hq.platforms order by key limit 1))",
    "hq.paris_time": "select hq.paris_time(now())",
    "hq.rank_report": "select hq.rank_report(%(run)s)",
    "hq.read_agents_work": "select hq.read_agents_work()",
    "hq.read_audience": "select hq.read_audience(array['/'])",
    "hq.read_autopilot_config": "select * from hq.read_autopilot_config()",
    "hq.read_commercial": "select hq.read_commercial(null)",
    "hq.read_contacts": "select hq.read_contacts()",
    "hq.read_decisions": "select hq.read_decisions(true)",
    "hq.read_earlier_facts": "select hq.read_earlier_facts(%(type)s, null, array['stripe'])",
    "hq.read_facts": "select * from hq.read_facts('[]')",
    "hq.read_hold": "select hq.read_hold()",
    "hq.read_kept": "select hq.read_kept(%(run)s)",
    "hq.read_log_retention": "select hq.read_log_retention()",
    "hq.read_past_report": "select hq.read_past_report(%(type)s, null)",
    "hq.read_personal_data": "select hq.read_personal_data()",
    "hq.read_traceparent": "select hq.read_traceparent()",
    "hq.refuse_addition": "select * from hq.refuse_addition(%(type)s)",
    "hq.run_cost": "select hq.run_cost(%(run)s)",
    "hq.run_to_relaunch": "select hq.run_to_relaunch(%(type)s, null)",
    "hq.sum_month_costs": "select * from hq.sum_month_costs((date_trunc('month', now()) - interval '1 month')::date)",
    "hq.timeline": "select * from hq.timeline(%(run)s)",
}
# The same with other parameters, which may take another way: what it is of, and the call.
VARIANTS: Final[dict[str, tuple[str, str]]] = {
    "list_hq_runs, of a rare status": ("public.list_hq_runs", "select * from public.list_hq_runs(500, 'cancelled')"),
    "list_hq_runs, of a status that no run has": (
        "public.list_hq_runs",
        "select * from public.list_hq_runs(500, 'running')",
    ),
    "list_hq_logs, of one run": ("public.list_hq_logs", "select * from public.list_hq_logs(500, %(run)s)"),
    "list_hq_logs, of a level that no log has": (
        "public.list_hq_logs",
        "select * from public.list_hq_logs(500, null, 'critical')",
    ),
    "follow_hq_logs, of one run": (
        "public.follow_hq_logs",
        "select * from public.follow_hq_logs(now() - interval '29 days', null, %(run)s)",
    ),
    "follow_hq_logs, of a level that no log has": (
        "public.follow_hq_logs",
        "select * from public.follow_hq_logs(now() - interval '29 days', null, null, 'critical')",
    ),
    "count_hq_open_matters, of a platform": (
        "public.count_hq_open_matters",
        "select * from public.count_hq_open_matters((select key from hq.platforms order by key limit 1))",
    ),
    "get_hq_ai_costs, of the month so far": ("public.get_hq_ai_costs", "select * from public.get_hq_ai_costs()"),
    "failures, the first twenty": ("hq.failures", "select * from hq.failures limit 20"),
}
# The host's own, which its screens call beside ours: measured, not changed.
HOSTS: Final[dict[str, str]] = {
    "get_hq_ai_budget_status": "select public.get_hq_ai_budget_status()",
    "get_hq_audit_logs": "select * from public.get_hq_audit_logs(50)",
    "get_hq_dlq_entries": "select * from public.get_hq_dlq_entries(50)",
    "get_hq_governance_dashboard": "select public.get_hq_governance_dashboard()",
    "get_hq_logs": "select * from public.get_hq_logs(50, null, null)",
    "get_hq_pending_actions": "select * from public.get_hq_pending_actions()",
    "get_hq_recent_runs": "select * from public.get_hq_recent_runs(20)",
    "get_hq_run_duration_metrics": "select public.get_hq_run_duration_metrics()",
    "get_hq_slo_status": "select public.get_hq_slo_status()",
    "get_hq_top_run_costs": "select public.get_hq_top_run_costs(30)",
}
