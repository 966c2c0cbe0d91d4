"""In which trace a run was requested: stored with its request, from the HTTP request that PostgREST answers."""

import json
from typing import Any

import psycopg
import pytest
from support.calls import request
from support.database import Connection, Database

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def ask(session: Connection, headers: str | None, run_type: str = "SEO_AUDIT") -> Any:
    """Ask for a run as PostgREST does: with the request's headers in a setting of the transaction."""
    with session.transaction():
        if headers is not None:
            session.execute("select set_config('request.headers', %s, true)", [headers])
        return request(session, run_type, force=True)["run_id"]


def read(session: Connection, *run_ids: Any) -> dict[Any, str]:
    rows = session.execute("select * from public.list_hq_traceparents(%s)", [list(run_ids)]).fetchall()
    return {row["run_id"]: row["traceparent"] for row in rows}


def test_a_run_keeps_the_trace_of_its_request(service: Connection) -> None:
    traced = ask(service, json.dumps({"host": "x", "traceparent": TRACEPARENT}))
    other = ask(service, json.dumps({"host": "x"}))

    assert read(service, traced, other) == {traced: TRACEPARENT}


@pytest.mark.parametrize(
    "headers",
    [
        None,
        "",
        "{}",
        '{not json "traceparent"',
        '["traceparent"]',
        '"traceparent"',
        json.dumps({"traceparent": None}),
        json.dumps({"traceparent": {"a": 1}}),
        json.dumps({"traceparent": TRACEPARENT.upper()}),
        json.dumps({"traceparent": f"{TRACEPARENT}\n"}),
        json.dumps({"traceparent": f"{TRACEPARENT}-x"}),
        json.dumps({"traceparent": f"{TRACEPARENT},{TRACEPARENT}"}),
        json.dumps({"traceparent": TRACEPARENT.replace("00-4", "ff-4")}),
        json.dumps({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}),
        json.dumps({"traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01"}),
        json.dumps({"traceparent": "x" * 100_000}),
        json.dumps({"x": f'"traceparent":"{TRACEPARENT}"'}),
        json.dumps({"x": "\0", "traceparent": TRACEPARENT}),
        json.dumps({"x": "\ud800", "traceparent": TRACEPARENT}),
        '["traceparent",' + "[" * 100_000,
    ],
    ids=range(20),
)
def test_what_is_no_traceparent_is_not_kept_and_costs_no_request(service: Connection, headers: str | None) -> None:
    run_id = ask(service, headers)

    assert read(service, run_id) == {}


def test_only_the_service_may_read_them(owner: Connection, database: Database) -> None:
    run_id = request(database.sql)["run_id"]

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        read(owner, run_id)
