"""The history of decisions reads the newest twenty audit rows: what workers do must not push a decision out of it."""

from datetime import datetime, timedelta

from support.autopilot import configure, decide
from support.calls import call, claim, request, settle, start, value
from support.database import Connection, Database, rows
from support.plan import PARIS, look, wind


def _history(owner: Connection) -> list[str]:
    """Read what the page of approvals reads, and keep what it keeps."""
    audited = rows(owner, "select action from public.get_hq_audit_logs(20)")
    return [row["action"] for row in audited if row["action"].startswith(("action.", "run."))]


def _decide_on_an_action(database: Database, owner: Connection) -> None:
    settle(database.sql, start(database, "DEPLOY_TO_PRODUCTION"))
    (action,) = call(owner, "get_hq_pending_actions")
    value(owner, "approve_hq_action", action_id=action["id"], decision="rejected", reason="Pas encore.")


def _live_through_the_plan(database: Database) -> int:
    """Let a working day of the plan pass, every run of it failing once and then ending with a report."""
    midnight = datetime(2026, 11, 23, tzinfo=PARIS)
    wind(database, midnight)
    ended = 0
    for hour in range(1, 25):
        look(database.sql, midnight + timedelta(hours=hour))
        for claimed in claim(database.sql):
            settle(database.sql, claimed, "retry")
            (again,) = claim(database.sql)
            settle(database.sql, again, "failed" if ended == 1 else "completed")
            ended += 1
    return ended


def test_yesterdays_decision_is_still_read_after_a_normal_day(database: Database, owner: Connection) -> None:
    _decide_on_an_action(database, owner)

    assert _live_through_the_plan(database) >= 4
    (failed,) = database.rows("select id from hq.runs where status = 'failed'")
    database.run("select hq.retry_run(%s)", failed["id"])
    configure(database, allowedRunTypes=["CODE_REVIEW", "PLATFORM_STATUS_REVIEW"])
    decide(database.sql, ["CODE_REVIEW"])
    for run_type in ("SEO_AUDIT", "CEO_STANDUP_MEETING", "COMPETITIVE_ANALYSIS") * 3:
        request(owner, run_type, force=True)
    for claimed in claim(database.sql):
        settle(database.sql, claimed)

    assert _history(owner) == ["action.rejected"]


def test_only_what_a_person_asked_for_is_audited(database: Database, owner: Connection) -> None:
    request(owner)
    request(database.sql, "CODE_REVIEW", trigger="retry")
    request(database.sql, "PLATFORM_STATUS_REVIEW", trigger="schedule")
    request(database.sql, "COMPETITIVE_ANALYSIS", trigger="autopilot")

    audited = database.rows(
        "select action, details ->> 'run_type' as run_type from hq.audit_logs where resource_type = 'run'"
    )
    assert audited == [{"action": "executive_run.requested", "run_type": "SEO_AUDIT"}]
