"""A run that has not ended can be cancelled, by those who may ask for one; what has ended stays as it is."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from support.calls import (
    USAGE,
    call,
    claim,
    lease,
    logs_of,
    queue_of,
    refused,
    request,
    rescue,
    run_of,
    settle,
    start,
    step,
    value,
    wait_until_blocked,
)
from support.database import Connection, Database


def _cancel(session: Connection, run_id: UUID) -> str:
    status: str = value(session, "cancel_hq_run", run_id=run_id)
    return status


@pytest.mark.parametrize("caller", ["sql", "service", "owner"])
@pytest.mark.parametrize("stage", ["waiting", "running"])
def test_a_run_that_waits_or_runs_is_over_at_once(
    stage: str, caller: str, database: Database, service: Connection, owner: Connection
) -> None:
    session = {"sql": database.sql, "service": service, "owner": owner}[caller]
    run_id = start(database)["run_id"] if stage == "running" else request(database.sql)["run_id"]

    assert _cancel(session, run_id) == "cancelled"

    run = run_of(database, run_id)
    assert run["status"] == "cancelled"
    assert run["completed_at"] is not None
    assert "annulée" in run["executive_summary"]
    assert run["detailed_appendix"].items() >= {"error_code": "cancelled", "fallback_used": False}.items()
    assert queue_of(database, run_id) is None
    assert claim(database.sql) == []


def test_its_worker_can_write_nothing_more(database: Database) -> None:
    claimed = start(database)
    _cancel(database.sql, claimed["run_id"])

    assert settle(database.sql, claimed) == "lost"
    assert run_of(database, claimed["run_id"])["status"] == "cancelled"


def test_what_was_spent_is_told(database: Database) -> None:
    claimed = start(database)
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE)

    _cancel(database.sql, claimed["run_id"])

    appendix = run_of(database, claimed["run_id"])["detailed_appendix"]
    assert appendix["cost_estimate"] == 0.0125
    (log,) = logs_of(database, claimed["run_id"], "run.cancelled")
    assert (
        log["metadata"].items()
        >= {
            "cancelled_by": "sql",
            "cost_estimate": 0.0125,
            "duration_ms": appendix["duration_ms"],
            "attempt": 1,
        }.items()
    )


def test_the_log_names_the_attempt_that_was_cut_short(database: Database) -> None:
    claimed = start(database)
    settle(database.sql, claimed, "retry")

    _cancel(database.sql, claimed["run_id"])

    (log,) = logs_of(database, claimed["run_id"], "run.cancelled")
    assert log["metadata"]["attempt"] == 2


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_run_that_has_ended_stays_as_it_is(outcome: str, database: Database) -> None:
    claimed = start(database)
    settle(database.sql, claimed, outcome)
    before = run_of(database, claimed["run_id"])

    assert _cancel(database.sql, claimed["run_id"]) == outcome

    assert run_of(database, claimed["run_id"]) == before


def test_cancelling_twice_is_cancelling_once(database: Database) -> None:
    run_id = request(database.sql)["run_id"]

    assert [_cancel(database.sql, run_id) for _ in range(2)] == ["cancelled", "cancelled"]

    assert len(logs_of(database, run_id, "run.cancelled")) == 1


def test_an_unknown_run_is_named_so(database: Database) -> None:
    with refused("HQ006"):
        _cancel(database.sql, uuid4())


def test_a_run_of_older_code_can_be_cancelled(owner: Connection) -> None:
    run_id = value(owner, "insert_hq_run", run_type="OLD_TYPE", status="running")

    assert _cancel(owner, run_id) == "cancelled"


def test_a_viewer_and_anon_may_not(database: Database, viewer: Connection) -> None:
    run_id = request(database.sql)["run_id"]

    with refused("HQ001"):
        _cancel(viewer, run_id)
    with database.as_caller("anon") as anon, refused("42501"):
        _cancel(anon, run_id)

    assert run_of(database, run_id)["status"] == "pending"


def test_a_cancelled_run_can_be_put_back_by_hand(database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    _cancel(database.sql, run_id)
    database.run("update hq.runs set status = 'pending'")

    assert rescue(database.sql)["adopted"] == 1
    assert [claimed["run_id"] for claimed in claim(database.sql)] == [run_id]


def test_cancelling_while_the_worker_writes_its_bill_is_no_deadlock(
    database: Database, other: Connection, background: ThreadPoolExecutor
) -> None:
    """The bill refers to the run, so its writer holds the run a little before it asks for the queue's row."""
    claimed = start(database)

    with database.sql.transaction():
        database.rows("select * from hq.run_queue for update")
        kept = background.submit(lambda: value(other, "checkpoint_hq_step", **lease(claimed), step=step(), usage=USAGE))
        wait_until_blocked(database, other)
        assert _cancel(database.sql, claimed["run_id"]) == "cancelled"

    assert kept.result() is False
