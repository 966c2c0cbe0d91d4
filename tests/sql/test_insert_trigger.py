"""A pending row that somebody inserts is a request like any other; any other row is none of our business."""

import pytest
from psycopg.types.json import Jsonb
from support.calls import call, claim, claim_one, queue_of, request, request_of, run_of, settle, value
from support.database import Connection, Database


def test_a_pending_row_inserted_by_hand_is_queued_and_executed(database: Database) -> None:
    run_id = database.one("insert into hq.runs (run_type, platform_key) values ('SEO_AUDIT', 'nearvity') returning id")[
        "id"
    ]

    queue, asked = queue_of(database, run_id), request_of(database, run_id)
    assert queue is not None
    assert (queue["run_type"], queue["platform_key"], queue["attempt"]) == ("SEO_AUDIT", "nearvity", 0)
    assert (queue["priority"], queue["dedupe_key"]) == (0, None)
    assert (asked["requester"], asked["trigger"], asked["context"]) == ("sql", "manual", {})
    assert settle(database.sql, claim_one(database.sql)) == "completed"


def test_a_pending_row_inserted_by_the_hosts_function_is_queued(database: Database, owner: Connection) -> None:
    run_id = value(owner, "insert_hq_run", run_type="SEO_AUDIT", status="pending")

    assert claim_one(database.sql)["run_id"] == run_id
    assert run_of(database, run_id)["completed_at"] is None


def test_many_rows_inserted_at_once_are_all_queued_even_of_one_type(database: Database) -> None:
    database.run("insert into hq.runs (run_type) select 'SEO_AUDIT' from generate_series(1, 20)")

    assert len(claim(database.sql)) == 20


def test_a_row_inserted_by_hand_does_not_stand_in_for_a_request(database: Database) -> None:
    database.run("insert into hq.runs (run_type) values ('SEO_AUDIT')")

    assert request(database.sql)["created"]


@pytest.mark.parametrize("status", ["running", "completed", "failed", "cancelled"])
def test_a_row_of_any_other_status_is_left_alone(status: str, database: Database, owner: Connection) -> None:
    call(owner, "insert_hq_run", run_type="SEO_AUDIT", status=status)
    database.run("insert into hq.runs (run_type, status) values ('SEO_AUDIT', %s)", status)

    assert not database.rows("select * from hq.run_queue")
    assert not database.rows("select * from hq.run_requests")


def test_a_requested_run_keeps_its_own_request(database: Database) -> None:
    run_id = request(database.sql, priority=7, trigger="schedule", context={"focus": "RLS"})["run_id"]

    queue, asked = queue_of(database, run_id), request_of(database, run_id)
    assert queue is not None
    assert (queue["priority"], queue["dedupe_key"]) == (7, "SEO_AUDIT:")
    assert (asked["trigger"], asked["context"]) == ("schedule", {"focus": "RLS"})


def test_deleting_a_run_takes_its_rows_along_but_not_its_bill(database: Database) -> None:
    request(database.sql, idempotency_key="k")
    claimed = claim_one(database.sql)
    usage = {"model": "m", "calls": 1, "tokens_in": 1, "tokens_out": 1, "tokens_cached": 0, "tokens_reasoning": 0}
    settle(database.sql, claimed, "retry", usage=usage | {"cost_eur": "0.5", "estimated": True})

    database.run("delete from hq.runs where id = %s", claimed["run_id"])

    for table in ("run_queue", "run_requests", "request_keys"):
        assert not database.rows(f"select * from hq.{table}")
    assert database.one("select run_id, run_type from hq.run_costs") == {"run_id": None, "run_type": "SEO_AUDIT"}


def test_a_context_that_is_no_object_is_handed_on_as_it_is(database: Database) -> None:
    request(database.sql, context=Jsonb(["a", 1]))

    assert claim_one(database.sql)["context"] == ["a", 1]
