"""Ids of ours begin with the time, so that what is written now stands side by side in every index."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from support.calls import claim_one, request, settle, step
from support.database import Connection, Database

EVIDENCE = {"evidence_type": "github", "data": {"open": 3}, "source_url": None}


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond(database: Database) -> None:
    rows = database.rows("select clock_timestamp() as before, hq.make_id() as id from generate_series(1, 1000)")

    assert len({row["id"] for row in rows}) == len(rows)
    after = database.one("select clock_timestamp() as at")["at"]
    for row in rows:
        assert (row["id"].version, row["id"].variant) == (7, "specified in RFC 4122")
        # Whole milliseconds, those that have passed.
        assert row["before"] - timedelta(milliseconds=1) < _moment(row["id"]) <= after


def test_what_is_not_the_time_is_random(database: Database) -> None:
    rows = database.rows("select hq.make_id() as id from generate_series(1, 1000)")

    drawn = [row["id"].int & ((1 << 80) - 1) for row in rows]
    # Each bit but the four of the version and the two of the variant, set in about half of them.
    often = [sum(number >> bit & 1 for number in drawn) for bit in range(80) if bit not in {62, 63, *range(76, 80)}]
    assert 350 < min(often) <= max(often) < 650


def test_a_run_its_steps_and_its_evidence_have_such_ids(service: Connection, database: Database) -> None:
    run_id = request(service)["run_id"]
    settle(service, claim_one(service), steps=[step(1), step(2)], evidence=[EVIDENCE])

    found = database.rows("select id from hq.run_steps union all select id from hq.run_evidence")
    assert len(found) == 3
    assert {row["id"].version for row in found} == {run_id.version} == {7}


def _moment(made: UUID) -> datetime:
    return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
