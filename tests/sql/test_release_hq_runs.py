"""A worker that stops hands its runs back: no attempt is counted, and its tokens are void."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.calls import (
    call,
    claim,
    claim_one,
    footprint,
    lease,
    logs_of,
    lose_lease,
    queue_of,
    request,
    run_of,
    settle,
    start,
    step,
    value,
)
from support.database import Connection, Database, Row


def _release(session: Connection, *claims: Row) -> int:
    count: int = value(session, "release_hq_runs", leases=[lease(claimed) for claimed in claims])
    return count


def test_a_released_run_is_due_at_once_and_no_attempt_is_counted(database: Database, service: Connection) -> None:
    claimed = start(database)

    assert _release(service, claimed) == 1

    run, queue = run_of(database, claimed["run_id"]), queue_of(database, claimed["run_id"])
    assert (run["status"], run["started_at"]) == ("pending", None)
    assert queue is not None
    assert (queue["attempt"], queue["worker_id"], queue["leased_until"]) == (0, None, None)
    again = claim_one(database.sql, "worker-2")
    assert again["attempt"] == 1


def test_the_next_worker_resumes_after_the_last_checkpoint(database: Database) -> None:
    claimed = start(database)
    call(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(output={"kept": True}))

    _release(database.sql, claimed)

    assert claim_one(database.sql, "worker-2")["checkpoints"] == {"Collecte": {"kept": True}}


@pytest.mark.parametrize("taken_over", ["before the next claim", "after the next claim"])
def test_the_old_token_is_void(taken_over: str, database: Database) -> None:
    claimed = start(database)
    _release(database.sql, claimed)
    if taken_over == "after the next claim":
        claim_one(database.sql, "worker-1")
    before = footprint(database, claimed["run_id"])

    assert settle(database.sql, claimed) == "lost"
    assert not value(database.sql, "checkpoint_hq_step", **lease(claimed), step=step())
    assert _release(database.sql, claimed) == 0
    assert footprint(database, claimed["run_id"]) == before


def test_only_what_is_held_is_handed_back(database: Database) -> None:
    for run_type in ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT", "ROADMAP_UPDATE"):
        request(database.sql, run_type)
    held, settled, cancelled, by_hand = claim(database.sql)
    settle(database.sql, settled)
    call(database.sql, "cancel_hq_run", run_id=cancelled["run_id"])
    database.run("update hq.runs set status = 'completed' where id = %s", by_hand["run_id"])

    assert _release(database.sql, held, settled, cancelled, by_hand) == 1

    statuses = [run_of(database, claimed["run_id"])["status"] for claimed in (held, settled, cancelled, by_hand)]
    assert statuses == ["pending", "completed", "cancelled", "completed"]


def test_releasing_nothing_is_nothing(database: Database) -> None:
    assert _release(database.sql) == 0


def test_a_release_is_logged_with_its_attempt(database: Database) -> None:
    start(database)
    lose_lease(database)
    claimed = claim_one(database.sql)

    _release(database.sql, claimed)

    (log,) = logs_of(database, claimed["run_id"], "run.released")
    assert (log["level"], log["source"]) == ("info", "executive-run")
    assert (log["metadata"]["attempt"], log["metadata"]["lease_token"]) == (2, claimed["lease_token"])


def test_handing_back_and_settling_the_same_runs_at_once_never_deadlock(
    database: Database, background: ThreadPoolExecutor
) -> None:
    database.run("insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, 100)")

    with database.connect() as settling:
        for _ in range(5):
            leases = [lease(claimed) for claimed in claim(database.sql)]
            retries = [held | {"outcome": "retry", "summary": "Plus tard."} for held in leases]
            settled = background.submit(call, settling, "settle_hq_runs", settlements=retries[::-1])
            call(database.sql, "release_hq_runs", leases=leases)
            assert {answer["error_code"] for answer in settled.result()} == {None}
            database.run("update hq.run_queue set attempt = 0")
