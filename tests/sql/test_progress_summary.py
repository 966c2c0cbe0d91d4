"""What the screens read as the summary of a run that has not ended: null would say that there is no report at all."""

from collections.abc import Callable

import pytest
from support.calls import call, claim_one, lease, lose_lease, request, rescue, run_of, settle, start
from support.database import OWNER, Connection, Database, one

WAITING, WRITING = "En attente", "Rédaction en cours"
RUN_TYPE = "MARKETING_WEEK_PLAN"

Claimed = dict[str, object]


def _read(owner: Connection, run_id: object) -> tuple[str, str | None]:
    """Read a run as every screen does."""
    query = "select status, executive_summary from public.get_hq_recent_runs(20) where id = %s"
    row = one(owner, query, run_id)
    return row["status"], row["executive_summary"]


def test_a_run_says_that_it_waits_and_then_that_it_is_being_written(database: Database, owner: Connection) -> None:
    run_id = request(owner, RUN_TYPE)["run_id"]
    assert _read(owner, run_id) == ("pending", WAITING)

    claimed = claim_one(database.sql)
    assert _read(owner, run_id) == ("running", WRITING)

    settle(database.sql, claimed, summary="## Plan de la semaine")
    assert _read(owner, run_id) == ("completed", "## Plan de la semaine")


def test_a_run_that_starts_at_once_says_so(owner: Connection, service: Connection) -> None:
    (accepted,) = call(
        service, "request_and_claim_hq_run_v2", requester=OWNER, run_type=RUN_TYPE, worker_id="w", lease_seconds=30
    )

    assert _read(owner, accepted["run_id"]) == ("running", WRITING)


def _release(database: Database, claimed: Claimed) -> None:
    call(database.sql, "release_hq_runs", leases=[lease(claimed)])


def _lose(database: Database, _: Claimed) -> None:
    lose_lease(database)


def _put_back_by_hand(database: Database, _: Claimed) -> None:
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)


def _delete_its_place(database: Database, _: Claimed) -> None:
    database.run("delete from hq.run_queue")
    rescue(database.sql)


@pytest.mark.parametrize("put_back", [_release, _lose, _put_back_by_hand, _delete_its_place])
def test_whatever_puts_a_run_back_says_that_it_waits(
    put_back: Callable[[Database, Claimed], None], database: Database, owner: Connection
) -> None:
    claimed = start(database, RUN_TYPE)

    put_back(database, claimed)

    assert _read(owner, claimed["run_id"]) == ("pending", WAITING)


def test_a_retry_keeps_its_reason_until_it_starts(database: Database, owner: Connection) -> None:
    claimed = start(database, RUN_TYPE)
    reason = "Limite de requêtes atteinte. Nouvelle tentative prévue (2 restantes)."

    settle(database.sql, claimed, "retry", summary=reason)
    rescue(database.sql)

    assert _read(owner, claimed["run_id"]) == ("pending", reason)
    claim_one(database.sql)
    assert _read(owner, claimed["run_id"]) == ("running", WRITING)


def test_the_queue_shows_a_reason_only_where_there_is_one(database: Database) -> None:
    lost = start(database, RUN_TYPE)
    lose_lease(database)
    database.run("update hq.run_queue set run_at = now() + interval '1 minute'")

    queue = database.one("select etat, pourquoi from hq.queue where execution = %s", lost["run_id"])
    assert queue == {"etat": "nouvel essai", "pourquoi": "Elle est prévue pour plus tard."}


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_ended_by_hand_no_longer_says_that_it_goes_on(status: str, database: Database, owner: Connection) -> None:
    claimed = start(database, RUN_TYPE)

    database.run("update hq.runs set status = %s, completed_at = now()", status)
    rescue(database.sql)

    assert _read(owner, claimed["run_id"]) == (status, None)


def test_a_row_inserted_by_hand_stays_as_it_is(database: Database) -> None:
    (row,) = database.rows("insert into hq.runs (run_type) values (%s) returning id", RUN_TYPE)
    rescue(database.sql)

    assert run_of(database, row["id"])["executive_summary"] is None
