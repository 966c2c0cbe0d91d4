"""PostgREST cuts what a function returns, at a thousand rows on hosted projects, and does not say so."""

import re
from typing import Final

from support.database import Database

# Bounded by something else than a limit of their own; a name that is missing here is a list that may be cut unseen.
BOUNDED_BY: Final = {
    "begin_hq_decision": "one row",
    "check_hq_ai_budget": "one row",
    "checkpoint_hq_steps": "what is sent: 50",
    "claim_hq_deliveries": "p_limit: the worker's; ten details each",
    "claim_hq_runs": "p_limit: the worker's concurrency",
    "count_hq_catalogue": "one row",
    "count_hq_open_matters": "one row",
    "enqueue_due_hq_runs": "slots decided in a call; nobody counts them",
    "get_hq_ai_costs": "platforms, run types and models of a month, the total first; nobody counts them",
    "get_hq_budget_state": "one row",
    "get_hq_delivery_state": "two rows",
    "get_hq_queue_state": "one row",
    "get_hq_run": "one row",
    "get_hq_schema_state": "one row",
    "inspect_hq_backend": "the checks there are",
    "inspect_hq_backend_v2": "the checks there are",
    "list_hq_jobs": "the plan",
    "look_for_hq_push_triggers": "one row",
    "purge_hq_expired": "one row",
    "read_hq_finance_snapshots": "days since p_since: 13 months at most",
    "read_hq_finance_snapshots_v2": "days since p_since: 13 months at most",
    "read_hq_platforms": "the platforms",
    "read_hq_platforms_v2": "the platforms",
    "record_hq_decision": "one row",
    "renew_hq_leases": "what is sent: the worker's concurrency, 1000 at most",
    "request_and_claim_hq_run": "one row",
    "request_and_claim_hq_run_v2": "one row",
    "request_hq_run": "one row",
    "request_hq_run_v2": "one row",
    "rescue_hq_runs": "one row",
    "settle_hq_runs": "what is sent: 50",
    "sum_hq_run_history": "one row",
    "take_hq_announcements": "p_limit, which it hands on",
}


def test_every_list_that_the_api_serves_is_bounded(database: Database) -> None:
    served = database.rows(
        "select p.proname, p.prosrc from pg_catalog.pg_proc as p"
        " join hq.worker_migrations as m on m.kind = 'function' and m.name = p.proname"
        " where p.pronamespace = 'public'::regnamespace and p.proretset"
    )

    limited = {row["proname"] for row in served if re.search(r"^\s+(?:.* )?limit ", row["prosrc"], re.MULTILINE)}

    names = {row["proname"] for row in served}
    assert names - limited - set(BOUNDED_BY) == set()
    assert set(BOUNDED_BY) <= names
    assert {"read_hq_catalogue", "read_hq_open_matters", "read_hq_run_history", "list_hq_logs"} <= limited
