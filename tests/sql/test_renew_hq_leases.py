"""A living worker keeps its leases, hears of those it lost, and never waits for anybody."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from support.calls import call, claim, claim_one, expire, lease, lose_lease, queue_of, request, rescue, settle, start
from support.database import Connection, Database, Row

HEARTBEAT = {"version": "0.1.0", "concurrency": 8, "realtime": "live", "started_at": "2026-11-22T10:00:00+00:00"}


def _renew(session: Connection, *claims: Row, worker_id: str = "worker-1", **heartbeat: object) -> dict[object, str]:
    params = {"worker_id": worker_id, "lease_seconds": 30, "heartbeat": HEARTBEAT | heartbeat}
    answer = call(session, "renew_hq_leases", leases=[lease(claimed) for claimed in claims], **params)
    return {row["run_id"]: row["state"] for row in answer}


def test_a_lease_that_is_held_is_prolonged_even_when_it_had_run_out(database: Database, service: Connection) -> None:
    claimed = start(database)
    expire(database)

    assert _renew(service, claimed) == {claimed["run_id"]: "held"}

    left = database.one("select extract(epoch from leased_until - now()) as seconds from hq.run_queue")["seconds"]
    assert 25 < left <= 30
    assert rescue(database.sql)["requeued"] == 0


def test_all_leases_of_a_worker_are_renewed_in_one_call(database: Database) -> None:
    for run_type in ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT"):
        request(database.sql, run_type)
    claims = claim(database.sql)
    expire(database)

    assert set(_renew(database.sql, *claims).values()) == {"held"}

    assert rescue(database.sql)["requeued"] == 0


def test_why_wake_ups_do_not_arrive_is_kept_until_they_do(database: Database, service: Connection) -> None:
    fault = {"realtime_fault": "PrivateOnly", "realtime_reason": "join refused: PrivateOnly: only private channels"}
    columns = "select realtime, realtime_fault, realtime_reason from hq.worker_heartbeats"

    _renew(service, **fault, realtime="degraded (polling)")
    assert database.one(columns) == fault | {"realtime": "degraded (polling)"}

    _renew(service)
    assert database.one(columns) == {"realtime": "live", "realtime_fault": None, "realtime_reason": None}


def test_each_lease_has_its_own_state(database: Database) -> None:
    for run_type in ("SEO_AUDIT", "CODE_REVIEW", "RGPD_AUDIT", "ROADMAP_UPDATE"):
        request(database.sql, run_type)
    held, cancelled, settled, put_back = claim(database.sql)
    call(database.sql, "cancel_hq_run", run_id=cancelled["run_id"])
    settle(database.sql, settled)
    database.run("update hq.runs set status = 'pending' where id = %s", put_back["run_id"])
    unknown = {"run_id": uuid4(), "lease_token": 1}

    assert _renew(database.sql, held, cancelled, settled, put_back, unknown) == {
        held["run_id"]: "held",
        cancelled["run_id"]: "cancelled",
        settled["run_id"]: "lost",
        put_back["run_id"]: "lost",
        unknown["run_id"]: "lost",
    }


def test_a_run_cancelled_by_hand_is_told_as_cancelled(database: Database) -> None:
    claimed = start(database)
    database.run("update hq.runs set status = 'cancelled'")

    assert _renew(database.sql, claimed) == {claimed["run_id"]: "cancelled"}


@pytest.mark.parametrize("next_owner", ["worker-1", "worker-2"])
def test_a_lost_lease_prolongs_nothing(next_owner: str, database: Database) -> None:
    former = start(database)
    lose_lease(database)
    assert _renew(database.sql, former) == {former["run_id"]: "lost"}
    claim_one(database.sql, next_owner)
    before = queue_of(database, former["run_id"])

    assert _renew(database.sql, former) == {former["run_id"]: "lost"}
    assert queue_of(database, former["run_id"]) == before


def test_another_workers_lease_cannot_be_renewed(database: Database) -> None:
    claimed = start(database)
    expire(database)

    assert _renew(database.sql, claimed, worker_id="worker-2") == {claimed["run_id"]: "lost"}
    assert rescue(database.sql)["requeued"] == 1


@pytest.mark.parametrize("ends", ["settles", "hands back"])
def test_a_renewal_does_not_wait_for_what_its_own_worker_is_writing(
    ends: str, database: Database, other: Connection
) -> None:
    """Waiting, it would call "lost" what is being settled, or deadlock with a worker that hands back."""
    claimed = start(database)

    with database.sql.transaction():
        if ends == "settles":
            settle(database.sql, claimed)
        else:
            call(database.sql, "release_hq_runs", leases=[lease(claimed)])
        assert _renew(other, claimed) == {claimed["run_id"]: "held"}

    assert _renew(other, claimed) == {claimed["run_id"]: "lost"}


def test_renewing_and_handing_back_at_once_never_deadlock(database: Database, background: ThreadPoolExecutor) -> None:
    database.run("insert into hq.runs (run_type) select 'CODE_REVIEW' from generate_series(1, 40)")

    with database.connect() as renewing:
        for _ in range(10):
            claims = claim(database.sql)
            renewal = background.submit(_renew, renewing, *reversed(claims))
            call(database.sql, "release_hq_runs", leases=[lease(claimed) for claimed in claims])
            assert set(renewal.result().values()) <= {"held", "lost"}


def test_a_worker_that_has_stopped_is_forgotten_and_no_other(database: Database) -> None:
    _renew(database.sql)
    _renew(database.sql, worker_id="worker-2")

    for _ in range(2):
        call(database.sql, "renew_hq_leases", worker_id="worker-1", leases=[], lease_seconds=30, heartbeat=None)

    assert database.one("select worker_id from hq.worker_heartbeats")["worker_id"] == "worker-2"


def test_a_renewal_notes_that_the_worker_lives(database: Database) -> None:
    claimed = start(database)

    _renew(database.sql, claimed)
    database.run("update hq.worker_heartbeats set seen_at = now() - interval '1 day'")
    _renew(database.sql, realtime="degraded (polling)")

    beat = database.one("select *, seen_at > now() - interval '1 minute' as fresh from hq.worker_heartbeats")
    assert (beat["worker_id"], beat["version"], beat["concurrency"]) == ("worker-1", "0.1.0", 8)
    assert (beat["running"], beat["realtime"], beat["fresh"]) == (0, "degraded (polling)", True)
