"""Structured logs for the command line, newest first, older code's among them."""

from support.calls import call, request, settle, start
from support.database import Connection, Database


def _messages(session: Connection, **params: object) -> list[str]:
    return [line["message"] for line in call(session, "list_hq_logs", **params)]


def test_logs_are_told_newest_first_and_filtered(database: Database, service: Connection) -> None:
    claimed = start(database)
    settle(database.sql, claimed, "failed")
    database.rows("select public.insert_hq_log('warn', 'system', 'older code', null)")
    database.run("update hq.structured_logs set created_at = now() - interval '1 hour' where message = 'run.started'")

    assert _messages(service) == ["older code", "run.failed", "run.started"]
    assert _messages(service, run_id=claimed["run_id"]) == ["run.failed", "run.started"]
    assert _messages(service, level="warn") == ["older code"]
    assert _messages(service, limit=1) == ["older code"]


def test_only_logs_written_at_or_after_a_moment_are_told(database: Database, service: Connection) -> None:
    settle(database.sql, start(database))
    moment = database.one("select created_at from hq.structured_logs where message = 'run.completed'")["created_at"]

    assert _messages(service, after=moment) == ["run.completed"]


def test_logs_without_metadata_have_empty_ones(database: Database, service: Connection) -> None:
    database.rows("select public.insert_hq_log('info', 'system', 'older code', null)")

    (line,) = call(service, "list_hq_logs")

    assert (line["metadata"], line["run_id"], line["source"], line["level"]) == ({}, None, "system", "info")


def test_the_list_is_bounded(database: Database, service: Connection) -> None:
    run_id = request(service)["run_id"]
    database.run(
        "insert into hq.structured_logs (message, run_id) select 'line ' || n, %s from generate_series(1, 510) as n",
        run_id,
    )

    assert len(call(service, "list_hq_logs")) == 50
    assert len(call(service, "list_hq_logs", limit=100_000)) == 500
    assert call(service, "list_hq_logs", limit=-1) == []
