"""How the queue stands, for whoever watches over it."""

from support.calls import call, claim, request
from support.database import Connection, Database


def test_an_empty_queue_has_nothing_to_report(service: Connection) -> None:
    (state,) = call(service, "get_hq_queue_state")

    assert (state["waiting"], state["running"], state["oldest_due_seconds"]) == (0, 0, 0)


def test_the_first_due_run_says_how_late_we_are(database: Database, service: Connection) -> None:
    first, _ = request(database.sql, "SEO_AUDIT"), request(database.sql, "CODE_REVIEW")
    database.run("update hq.run_queue set run_at = now() - interval '90 s' where run_id = %s", first["run_id"])

    (state,) = call(service, "get_hq_queue_state")

    assert (state["waiting"], state["running"]) == (2, 0)
    assert 90 <= state["oldest_due_seconds"] < 100


def test_runs_at_work_or_of_the_future_are_not_late(database: Database, service: Connection) -> None:
    request(database.sql, "SEO_AUDIT")
    claim(database.sql)
    request(database.sql, "CODE_REVIEW")
    database.run("update hq.run_queue set run_at = now() + interval '90 s' where worker_id is null")

    (state,) = call(service, "get_hq_queue_state")

    assert (state["waiting"], state["running"], state["oldest_due_seconds"]) == (1, 1, 0)


def test_while_everything_is_paused_nothing_is_late(database: Database, service: Connection) -> None:
    request(database.sql, "SEO_AUDIT")
    database.run("update hq.run_queue set run_at = now() - interval '90 s'")
    database.one("select hq.pause_runs('travaux')")

    (paused,) = call(service, "get_hq_queue_state")
    database.one("select hq.resume_runs()")
    (resumed,) = call(service, "get_hq_queue_state")

    assert (paused["waiting"], paused["oldest_due_seconds"]) == (1, 0)
    assert resumed["oldest_due_seconds"] >= 90
