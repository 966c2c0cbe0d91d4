"""Structured logs from a moment on, page by page: none is missed, none comes twice."""

from datetime import timedelta
from typing import Any

from support.calls import call
from support.database import Connection, Database


def _read_all(session: Connection, begin: Any, **params: object) -> tuple[list[str], int]:
    """Return the messages of all pages, and how many pages there were."""
    found: list[str] = []
    pages = 0
    last: dict[str, Any] = {"created_at": begin, "id": None}
    while page := call(session, "follow_hq_logs", **{"from": last["created_at"]}, after_id=last["id"], **params):
        found += [line["message"] for line in page]
        pages += 1
        last = page[-1]
    return found, pages


def test_however_many_lines_there_are_each_is_read_once(database: Database, service: Connection) -> None:
    # A transaction writes all its lines at one moment.
    database.run("insert into hq.structured_logs (message) select 'line ' || n from generate_series(1, 1700) as n")
    database.run("insert into hq.structured_logs (level, message) values ('error', 'the last')")

    found, pages = _read_all(service, None)

    assert pages == 4
    assert sorted(found) == sorted([*(f"line {n}" for n in range(1, 1701)), "the last"])
    assert found[-1] == "the last"
    assert _read_all(service, None, level="error") == (["the last"], 1)


def test_only_what_is_written_from_a_moment_on_is_read(database: Database, service: Connection) -> None:
    database.run("insert into hq.structured_logs (message, created_at) values ('old', now() - interval '1 hour')")
    database.run(
        "insert into hq.structured_logs (message, created_at) values ('far', 'infinity'), ('first', '-infinity')"
    )
    moment = database.one("insert into hq.structured_logs (message) values ('new') returning created_at")["created_at"]

    assert _read_all(service, moment)[0] == ["new"]
    assert _read_all(service, moment + timedelta(microseconds=1))[0] == []
    assert _read_all(service, None)[0] == ["old", "new"]


def test_a_page_is_bounded(database: Database, service: Connection) -> None:
    database.run("insert into hq.structured_logs (message) select 'line ' || n from generate_series(1, 510) as n")

    assert len(call(service, "follow_hq_logs", limit=100_000)) == 500
    assert call(service, "follow_hq_logs", limit=-1) == []
