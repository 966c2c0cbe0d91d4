"""Due runs are handed out in order, to one worker each, under a token that never comes back."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest
from support.calls import (
    call,
    claim,
    claim_one,
    lease,
    logs_of,
    lose_lease,
    queue_of,
    race,
    request,
    rescue,
    run_of,
    settle,
    start,
    step,
)
from support.database import Connection, Database

from shared.registry import RUN_TYPES

WAITING = "insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, %s)"


def _ids(claims: list[dict[str, UUID]]) -> list[UUID]:
    return [claimed["run_id"] for claimed in claims]


def _delay(database: Database, run_id: UUID, seconds: int) -> None:
    database.run(
        "update hq.run_queue set run_at = now() + make_interval(secs => %s) where run_id = %s", seconds, run_id
    )


def test_higher_priority_goes_first_then_the_longest_due(database: Database) -> None:
    late, early, urgent = (
        request(database.sql, run_type, priority=priority)["run_id"]
        for run_type, priority in [("SEO_AUDIT", 0), ("CODE_REVIEW", 0), ("RGPD_AUDIT", 1)]
    )
    _delay(database, late, -60)
    _delay(database, early, -90)

    assert _ids(claim(database.sql, limit=2)) == [urgent, early]
    assert _ids(claim(database.sql)) == [late]


def test_a_worker_gets_no_more_than_it_asks_for(database: Database) -> None:
    first, second = (request(database.sql, run_type)["run_id"] for run_type in ("SEO_AUDIT", "CODE_REVIEW"))

    assert _ids(claim(database.sql, limit=1)) == [first]
    assert _ids(claim(database.sql, limit=1)) == [second]
    assert claim(database.sql, limit=1) == []


def test_a_run_of_the_future_waits(database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    _delay(database, run_id, 60)

    assert claim(database.sql) == []
    _delay(database, run_id, 0)
    assert _ids(claim(database.sql)) == [run_id]


@pytest.mark.parametrize("status", ["running", "completed", "failed", "cancelled"])
def test_a_waiting_run_that_somebody_changed_by_hand_is_not_handed_out(status: str, database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    database.run("update hq.runs set status = %s", status)
    before = queue_of(database, run_id)

    assert claim(database.sql) == []
    assert queue_of(database, run_id) == before


def test_what_another_session_is_taking_is_skipped_without_waiting(database: Database, other: Connection) -> None:
    first, second = (request(database.sql, run_type)["run_id"] for run_type in ("SEO_AUDIT", "CODE_REVIEW"))

    with database.sql.transaction():
        assert _ids(claim(database.sql, "worker-1", limit=1)) == [first]
        assert _ids(claim(other, "worker-2")) == [second]


@pytest.mark.parametrize(("slots", "expected"), [(0, 0), (1, 1), (2, 2), (9, 3)])
def test_a_worker_bounds_a_type(slots: int, expected: int, database: Database) -> None:
    for _ in range(3):
        request(database.sql, "SEO_AUDIT", force=True)
        request(database.sql, "CODE_REVIEW", force=True)

    taken = Counter(claimed["run_type"] for claimed in claim(database.sql, type_slots={"SEO_AUDIT": slots}))

    assert taken == Counter({"SEO_AUDIT": expected, "CODE_REVIEW": 3})


def test_runs_beyond_a_types_bound_are_there_for_the_next_worker(database: Database) -> None:
    runs = [request(database.sql, force=True)["run_id"] for _ in range(2)]

    assert _ids(claim(database.sql, "worker-1", type_slots={"SEO_AUDIT": 1})) == runs[:1]
    assert _ids(claim(database.sql, "worker-2", type_slots={"SEO_AUDIT": 1})) == runs[1:]


def test_fifty_workers_share_two_thousand_runs_none_twice_none_left(database: Database) -> None:
    database.run(WAITING, 2000)

    def work(session: Connection) -> list[UUID]:
        worker, taken = f"worker-{session.info.backend_pid}", []
        while claims := claim(session, worker, limit=10):
            taken += _ids(claims)
        return taken

    taken = [run_id for share in race(database.connect, [work] * 50) for run_id in share]

    assert len(taken) == len(set(taken)) == 2000
    held = database.one("select count(*) as n from hq.run_queue where worker_id is not null and lease_token > 0")
    assert held["n"] == 2000


def _release(database: Database, claimed: dict[str, object]) -> None:
    call(database.sql, "release_hq_runs", leases=[lease(claimed)])


def _retry(database: Database, claimed: dict[str, object]) -> None:
    settle(database.sql, claimed, "retry")


def _run_again_by_hand(database: Database, claimed: dict[str, object]) -> None:
    settle(database.sql, claimed)
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)


def _lose(database: Database, _: dict[str, object]) -> None:
    lose_lease(database)


@pytest.mark.parametrize("come_back", [_release, _retry, _run_again_by_hand, _lose])
def test_a_later_claim_of_the_same_run_has_a_greater_token(
    come_back: Callable[[Database, dict[str, object]], None], database: Database
) -> None:
    first = start(database)
    come_back(database, first)

    second = claim_one(database.sql, "worker-2")

    assert second["run_id"] == first["run_id"]
    assert second["lease_token"] > first["lease_token"]


def test_a_claim_starts_the_run_anew(database: Database) -> None:
    first = start(database)
    settle(database.sql, first)
    database.run("update hq.runs set status = 'pending', started_at = now() - interval '1 day'")
    rescue(database.sql)

    again = claim_one(database.sql)

    run = run_of(database, again["run_id"])
    assert run["status"] == "running"
    assert (run["completed_at"], run["executive_summary"]) == (None, "Rédaction en cours")
    assert database.one("select started_at > now() - interval '1 minute' as fresh from hq.runs")["fresh"]


def test_the_lease_names_its_worker_and_its_end(database: Database) -> None:
    claimed = start(database)

    queue = queue_of(database, claimed["run_id"])
    assert queue is not None
    assert (queue["worker_id"], queue["lease_token"]) == ("worker-1", claimed["lease_token"])
    left = database.one("select extract(epoch from leased_until - now()) as seconds from hq.run_queue")
    assert 25 < left["seconds"] <= 30


def test_a_claim_brings_the_whole_request(database: Database) -> None:
    asked = request(database.sql, platform_key="nearvity", context={"focus": "RLS"}, trigger="retry")

    claimed = claim_one(database.sql)

    created_at = run_of(database, asked["run_id"])["created_at"]
    assert claimed == {
        "run_id": asked["run_id"],
        "lease_token": claimed["lease_token"],
        "run_type": "SEO_AUDIT",
        "platform_key": "nearvity",
        "attempt": 1,
        "max_attempts": 3,
        "trigger": "retry",
        "requester": "sql",
        "context": {"focus": "RLS"},
        "checkpoints": {},
        "created_at": created_at,
    }


def test_a_claim_is_logged_with_the_run(database: Database) -> None:
    claimed = start(database, platform_key="nearvity")

    (log,) = logs_of(database, claimed["run_id"])
    assert (log["message"], log["level"], log["source"]) == ("run.started", "info", "executive-run")
    assert log["metadata"] == {
        "run_id": str(claimed["run_id"]),
        "run_type": "SEO_AUDIT",
        "platform_key": "nearvity",
        "trigger": "manual",
        "model_used": RUN_TYPES["SEO_AUDIT"].tier.model,
        "duration_ms": 0,
        "cost_estimate": float(RUN_TYPES["SEO_AUDIT"].cost_eur),
        "attempt": 1,
        "worker_id": "worker-1",
        "lease_token": claimed["lease_token"],
    }


def test_many_claims_in_one_call_are_all_logged(database: Database) -> None:
    database.run(WAITING, 100)

    claims = claim(database.sql, limit=100)

    logged = database.rows("select run_id from hq.structured_logs where message = 'run.started'")
    assert sorted(_ids(logged)) == sorted(_ids(claims))


def test_another_attempt_gets_what_was_already_done(database: Database) -> None:
    claimed = start(database)
    done = step(1, "Collecte", output={"findings": [1, 2]})
    unfinished = step(2, "Rapport du modèle", status="failed", output={"answer": "…"})
    silent = step(3, "Rédaction de la demande")
    for each in (done, unfinished, silent):
        call(database.sql, "checkpoint_hq_step", **lease(claimed), step=each)
    lose_lease(database)

    again = claim_one(database.sql)

    assert again["attempt"] == 2
    assert again["checkpoints"] == {"Collecte": {"findings": [1, 2]}}


@pytest.mark.parametrize("analysed", ["before vacuum came by", "after analyze"])
def test_a_claim_reads_a_few_rows_of_a_long_queue(analysed: str, database: Database) -> None:
    """The due runs are the first of an index; neither sort nor scan grows with the queue."""
    database.run(WAITING, 5000)
    if analysed == "after analyze":
        database.run("analyze hq.runs, hq.run_queue")
    before = _reads(database)

    for _ in range(10):  # beyond the fifth, the plan is the generic one
        assert len(claim(database.sql, limit=10)) == 10

    after = _reads(database)
    assert after["waiting_scans"] - before["waiting_scans"] == 10
    assert after["waiting_rows"] - before["waiting_rows"] < 1000
    assert after["queue_scans"] == before["queue_scans"]


def _reads(database: Database) -> dict[str, int]:
    database.rows("select pg_stat_force_next_flush()")
    return database.one(
        "select i.idx_scan as waiting_scans, i.idx_tup_read as waiting_rows, t.seq_scan as queue_scans "
        "from pg_stat_user_indexes as i join pg_stat_user_tables as t using (relid) "
        "where i.indexrelname = 'run_queue_waiting'"
    )
