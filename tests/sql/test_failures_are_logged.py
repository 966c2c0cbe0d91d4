"""A run that fails, in whatever way, leaves exactly one `run.failed`, which says what an operator asks."""

from collections.abc import Callable

import pytest
from support.calls import (
    USAGE,
    call,
    claim_one,
    expire,
    lease,
    logs_of,
    lose_lease,
    request,
    rescue,
    run_of,
    settle,
    start,
    step,
)
from support.database import Database, Row

WHY = {"error_code": "gateway_unavailable", "error_message": "503"}
SAID = {"error_code", "platform_key", "run_type", "duration_ms", "model_used", "attempt", "run_id"}


def _fail_at_once(database: Database, claimed: Row) -> None:
    assert settle(database.sql, claimed, "failed", appendix=WHY) == "failed"
    assert settle(database.sql, claimed, "failed", appendix=WHY) == "failed"  # its answer was lost


def _fail_without_a_word(database: Database, claimed: Row) -> None:
    assert settle(database.sql, claimed, "failed", appendix={}) == "failed"


def _use_up_every_attempt(database: Database, claimed: Row) -> None:
    assert settle(database.sql, claimed, "retry", appendix=WHY) == "pending"
    assert settle(database.sql, claim_one(database.sql), "retry", appendix=WHY) == "pending"
    assert settle(database.sql, claim_one(database.sql), "retry", appendix=WHY) == "failed"


def _fall_silent_every_time(database: Database, claimed: Row) -> None:
    del claimed
    lose_lease(database)
    for _ in range(2):
        claim_one(database.sql)
        lose_lease(database)
    expire(database)
    rescue(database.sql)


def _settle_after_the_lease_was_lost(database: Database, claimed: Row) -> None:
    database.run("update hq.run_queue set max_attempts = 1")
    lose_lease(database)
    assert settle(database.sql, claimed, "failed", appendix=WHY) == "lost"


def _end_it_by_hand(database: Database, claimed: Row) -> None:
    database.run("update hq.runs set status = 'failed', completed_at = now() where id = %s", claimed["run_id"])
    rescue(database.sql)
    rescue(database.sql)


WAYS = [
    _fail_at_once,
    _fail_without_a_word,
    _use_up_every_attempt,
    _fall_silent_every_time,
    _settle_after_the_lease_was_lost,
    _end_it_by_hand,
]


@pytest.mark.parametrize("variant", ["seed", "head"])
@pytest.mark.parametrize("fail", WAYS)
def test_a_failure_is_told_once_and_whole(
    fail: Callable[[Database, Row], None],
    variant: str,
    clone: Callable[[str], Database],
) -> None:
    database = clone(f"{variant}_hq")
    claimed = start(database, platform_key="nearvity")

    fail(database, claimed)

    assert run_of(database, claimed["run_id"])["status"] == "failed"
    (log,) = logs_of(database, claimed["run_id"], "run.failed")
    reported = log["metadata"]
    assert log["level"] == "error"
    # Of a run that a person ended before it was billed nobody knows a model.
    known = SAID - {"model_used"} if fail is _end_it_by_hand else SAID
    assert {name for name in SAID if reported.get(name) is not None} == known
    assert reported["run_id"] == str(log["run_id"]) == str(claimed["run_id"])
    assert (reported["run_type"], reported["platform_key"]) == ("SEO_AUDIT", "nearvity")
    assert isinstance(reported["duration_ms"], int)


def test_a_second_life_that_fails_again_is_told_again(database: Database) -> None:
    claimed = start(database)
    _fail_at_once(database, claimed)
    database.run("update hq.runs set status = 'pending' where id = %s", claimed["run_id"])
    rescue(database.sql)
    _fail_at_once(database, claim_one(database.sql))

    assert len(logs_of(database, claimed["run_id"], "run.failed")) == 2


def test_a_failure_by_hand_is_told_with_what_the_run_took_and_cost(database: Database) -> None:
    claimed = start(database)
    billed = USAGE | {"model": "openai/gpt-5.2"}
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage=billed)
    database.run("update hq.runs set started_at = now() - interval '3 minutes'")

    _end_it_by_hand(database, claimed)

    (log,) = logs_of(database, claimed["run_id"], "run.failed")
    reported = log["metadata"]
    assert (reported["error_code"], reported["model_used"], reported["cost_estimate"]) == (
        "ended_by_hand",
        billed["model"],
        0.0125,
    )
    assert 180_000 <= reported["duration_ms"] < 190_000


def test_a_run_that_is_ended_by_hand_before_it_began_took_and_cost_nothing(database: Database) -> None:
    _end_it_by_hand(database, waiting := request(database.sql))

    (log,) = logs_of(database, waiting["run_id"], "run.failed")
    reported = log["metadata"]
    assert (reported["model_used"], reported["cost_estimate"], reported["duration_ms"]) == (None, 0, 0)


def test_what_older_code_left_running_is_told_as_any_failure(database: Database) -> None:
    (run,) = database.rows(
        "insert into hq.runs (run_type, platform_key, status, started_at) "
        "values ('SEO_AUDIT', 'nearvity', 'running', now() - interval '20 minutes') returning id"
    )
    rescue(database.sql)
    rescue(database.sql)

    (log,) = logs_of(database, run["id"], "run.failed")
    assert {name for name in SAID if log["metadata"].get(name) is not None} == SAID
    assert log["metadata"]["error_code"] == "run_stuck"
    assert log["metadata"]["duration_ms"] >= 20 * 60 * 1000


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_a_run_that_did_not_fail_is_not_said_to_have(end: str, database: Database) -> None:
    claimed = start(database)
    if end == "completed":
        settle(database.sql, claimed)
    else:
        database.rows("select public.cancel_hq_run(%s)", claimed["run_id"])

    assert logs_of(database, claimed["run_id"], "run.failed") == []


def test_the_levels_are_those_that_the_viewer_offers(database: Database) -> None:
    """Nothing of ours writes `critical`, which the viewer cannot filter."""
    bodies = database.rows(
        "select p.oid::regprocedure::text as name from pg_proc as p "
        "where p.pronamespace = 'hq'::regnamespace and p.prosrc ~ '''critical'''"
    )

    assert bodies == []
