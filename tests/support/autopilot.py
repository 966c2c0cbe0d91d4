"""The autopilot as a test sets it up: its switch, its settings, the hour that passed, a decision from end to end."""

from psycopg.types.json import Jsonb

from support.calls import USAGE, call
from support.calls import configure as set_config
from support.database import Connection, Database, Row

LISTED = ["CODE_REVIEW", "PLATFORM_STATUS_REVIEW", "SECURITY_AUDIT_RLS"]


def configure(database: Database, value: object = None, /, **fields: object) -> None:
    """Save the autopilot's settings as the screens do; switched on unless told otherwise."""
    usual = {"enabled": True, "allowedRunTypes": LISTED, "maxDailyAutonomousRuns": 20, "pauseOnError": True}
    config = usual | fields if value is None else value
    set_config(database, "autopilot", config)


def begin(session: Connection, /, **params: object) -> Row:
    (opening,) = call(session, "begin_hq_decision", **{"asked_by": "panel"} | params)
    return opening


def record(session: Connection, opening: Row, run_types: list[str] | None = None, /, **params: object) -> Row:
    """End a decision; with a bill, because a decision of the model has one."""
    usual = {"decided_by": "model", "reasoning": "Parce que.", "refused": [], "usage": USAGE}
    given = usual | params | {"decision_id": opening["decision_id"]}
    values = ", ".join(f"p_{name} => %s" for name in given) + ", p_run_types => %s"
    arguments = [Jsonb(value) if isinstance(value, dict) else value for value in given.values()]
    query = f"select * from public.record_hq_decision({values})".encode()
    rows = session.execute(query, [*arguments, run_types or []]).fetchall()
    (recorded,) = rows
    return recorded


def decide(session: Connection, run_types: list[str] | None = None, /, **params: object) -> Row:
    return record(session, begin(session, fresh_seconds=0), run_types, **params)


def age_decisions(database: Database, minutes: float) -> None:
    """Make every decision that much older."""
    database.run(
        "update hq.autopilot_decisions set began_at = began_at - make_interval(secs => %s), "
        "decided_at = decided_at - make_interval(secs => %s), leased_until = leased_until - make_interval(secs => %s)",
        *[minutes * 60] * 3,
    )


def fail_run(database: Database, run_type: str = "CODE_REVIEW", /, *, trigger: str = "manual") -> None:
    """Have a run failed just now."""
    database.run(
        "with failed as (insert into hq.runs (run_type, status, completed_at, created_at, executive_summary) "
        "values (%s, 'failed', now(), now() - interval '90 minutes', 'Le service d''IA ne répond pas.') returning id) "
        "insert into hq.run_requests (run_id, requester, trigger, created_at) "
        "select id, 'autopilot', %s, now() - interval '90 minutes' from failed",
        run_type,
        trigger,
    )


def journal_of(database: Database, message: str = "autopilot.decision") -> list[Row]:
    return database.rows("select * from hq.structured_logs where message = %s order by created_at", message)
