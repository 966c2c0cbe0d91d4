"""The workers are silent: the relay itself asks the database for the run, as the caller, with the same key."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from support.database import VIEWER
from support.page import HEADERS, ORIGIN, Toast, choose_toast
from support.running_relay import Relay, StartRelay
from support.scripted_server import CUT, SILENCE, ScriptedServer, answer, write

from devstack.stack import Stack

NOBODY = "http://127.0.0.1:1"
RUN_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
THEIR_WORDS = "the words of the database"
LAUNCH = {"run_type": "CODE_REVIEW", "platform_key": "nearvity", "context_data": {"sujet": "été"}}


def _accepted(status: str = "pending", reason: str = "created") -> bytes:
    return answer(200, [{"run_id": RUN_ID, "status": status, "created": True, "reason": reason}])


# What is asked of Supabase --------------------------------------------------------------------------------------


async def test_the_database_is_asked_as_the_caller_with_the_key_the_workers_were_given(
    relay: Relay, upstream: ScriptedServer, supabase: ScriptedServer
) -> None:
    upstream.script(CUT, CUT)
    supabase.script(_accepted())

    response = await relay.post("executive-run", json=LAUNCH, headers={"authorization": "Bearer hers", "apikey": "k"})

    keys = {heard.headers["idempotency-key"] for heard in upstream.heard}
    (heard,) = supabase.heard
    assert heard.path == "/rest/v1/rpc/request_hq_run"
    assert (heard.headers["authorization"], heard.headers["apikey"]) == ("Bearer hers", "k")
    assert heard.fields == {
        "p_run_type": "CODE_REVIEW",
        "p_platform_key": "nearvity",
        "p_context": {"sujet": "été"},
        "p_idempotency_key": keys.pop(),
    }
    assert not keys
    reported = response.json()
    assert response.status_code == 202
    assert reported.pop("executive_summary").startswith("La demande est enregistrée\N{NO-BREAK SPACE}; ")
    assert reported == {"success": True, "status": "pending", "run_id": RUN_ID, "run_type": "CODE_REVIEW"}


async def test_the_database_is_given_the_callers_trace_if_it_is_one(
    relay: Relay, upstream: ScriptedServer, supabase: ScriptedServer
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    upstream.script(CUT, CUT, CUT, CUT)
    supabase.script(_accepted(), _accepted())

    for given in (traceparent, f"{traceparent}-more"):
        await relay.post("executive-run", json=LAUNCH, headers={"authorization": "Bearer hers", "traceparent": given})

    assert [heard.headers.get("traceparent") for heard in supabase.heard] == [traceparent, None]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "the-anon-key"),
        ({"SUPABASE_PUBLISHABLE_KEYS": '{"default": "sb_publishable_x"}'}, "sb_publishable_x"),
        ({"SUPABASE_PUBLISHABLE_KEYS": "nonsense"}, "the-anon-key"),
    ],
)
async def test_a_caller_without_a_key_is_asked_for_with_the_newest_of_the_platforms(
    start_relay: StartRelay, supabase: ScriptedServer, settings: dict[str, str], key: str
) -> None:
    supabase.script(_accepted())

    await start_relay(workers_url=NOBODY, **settings).post("executive-run", json=LAUNCH)

    assert supabase.heard[0].headers["apikey"] == key


@pytest.mark.parametrize("reply", [SILENCE, write(502, b""), write(200, b"{", content_length="9")])
async def test_every_kind_of_silence_is_one(
    start_relay: StartRelay, upstream: ScriptedServer, supabase: ScriptedServer, reply: bytes | None
) -> None:
    upstream.script(reply, reply)
    supabase.script(_accepted("running"))

    response = await start_relay(RELAY_TIMEOUT_MS=300).post("executive-run", json=LAUNCH)

    assert (response.status_code, response.json()["status"]) == (202, "running")


@pytest.mark.parametrize("status", [500, 503])
async def test_workers_that_refuse_are_not_silent(
    relay: Relay, upstream: ScriptedServer, supabase: ScriptedServer, status: int
) -> None:
    upstream.script(answer(status, {"error": "…"}))

    response = await relay.post("executive-run", json=LAUNCH)

    assert response.status_code == status
    assert not supabase.heard


async def test_a_browser_is_told_that_the_run_is_kept(start_relay: StartRelay, supabase: ScriptedServer) -> None:
    supabase.script(_accepted())

    response = await start_relay(workers_url=NOBODY).post("executive-run", json=LAUNCH, headers=HEADERS)

    reported = response.json()
    assert (response.status_code, response.headers["x-relay-status"]) == (200, "202")
    assert reported.pop("error").startswith("La demande est enregistrée\N{NO-BREAK SPACE}; ")
    assert reported == {
        "success": False,
        "error_code": "run_accepted",
        "http_status": 202,
        "run_id": RUN_ID,
        "run_type": "CODE_REVIEW",
    }


@pytest.mark.parametrize("reason", ["created, paused", "already_running, other context, paused"])
async def test_a_run_that_is_kept_through_a_pause_is_told_as_that(
    start_relay: StartRelay, supabase: ScriptedServer, reason: str
) -> None:
    supabase.script(_accepted(reason=reason), _accepted(reason=reason))
    relay = start_relay(workers_url=NOBODY)

    page = await relay.post("executive-run", json=LAUNCH, headers=HEADERS)
    other = await relay.post("executive-run", json=LAUNCH)

    assert (other.status_code, other.json()["paused"]) == (202, True)
    for sentence in (page.json()["error"], other.json()["executive_summary"]):
        assert sentence.startswith("Les runs sont en pause\N{NO-BREAK SPACE}; ")


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (answer(400, {"code": "HQ001", "message": THEIR_WORDS}), 403, "forbidden"),
        (answer(400, {"code": "HQ002", "message": THEIR_WORDS}), 400, "unknown_run_type"),
        (answer(400, {"code": "HQ003", "message": THEIR_WORDS}), 400, "unknown_platform"),
        (answer(400, {"code": "HQ004", "message": THEIR_WORDS}), 429, "rate_limited"),
        (answer(400, {"code": "HQ005", "message": THEIR_WORDS}), 413, "context_too_large"),
        (answer(400, {"code": "HQ006", "message": THEIR_WORDS}), 404, "not_found"),
        (answer(400, {"code": "HQ007", "message": THEIR_WORDS}), 409, "idempotency_key_reused"),
        (answer(400, {"code": "HQ008", "message": THEIR_WORDS}), 503, "queue_held"),
        (answer(401, {"code": "PGRST301", "message": THEIR_WORDS}), 401, "unauthenticated"),
        (answer(403, {"code": "42501", "message": THEIR_WORDS}), 403, "forbidden"),
        (answer(401, {"message": "Legacy API keys are disabled"}), 503, "workers_silent"),
        (answer(403, {"message": THEIR_WORDS}), 503, "workers_silent"),
        (answer(404, {"code": "PGRST202", "message": THEIR_WORDS}), 503, "workers_silent"),
        (answer(503, {"code": "PGRST002", "message": THEIR_WORDS}), 503, "workers_silent"),
        (answer(200, []), 503, "workers_silent"),
        (answer(500, None), 503, "workers_silent"),
        (write(502, b"<h1>bad gateway</h1>", content_type="text/html"), 503, "workers_silent"),
        (CUT, 503, "workers_silent"),
    ],
)
async def test_a_refusal_of_the_database_has_its_status_and_our_own_words(
    start_relay: StartRelay, supabase: ScriptedServer, reply: bytes, status: int, code: str
) -> None:
    supabase.usual = lambda _: reply
    relay = start_relay(workers_url=NOBODY)

    response = await relay.post("executive-run", json=LAUNCH)
    on_screen = await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    reported = response.json()
    assert (response.status_code, reported["error_code"]) == (status, code)
    assert on_screen.json() == reported | {"http_status": status}
    assert THEIR_WORDS not in response.text


async def test_total_silence_is_shown_as_what_it_is_and_logged_without_details(
    start_relay: StartRelay, supabase: ScriptedServer
) -> None:
    supabase.script(CUT)
    relay = start_relay(workers_url=NOBODY)

    response = await relay.post("executive-run", json=LAUNCH, headers=HEADERS | {"x-request-id": "req-7"})

    reported = response.json()
    assert reported["http_status"] == 503
    assert choose_toast(reported["error"]) is Toast.SENTENCE
    logged = {"function": "executive-run", "request_id": "req-7"}
    assert relay.events == [
        {"event": "relay.workers_unreachable"} | logged,
        {"event": "relay.database_silent"} | logged,
    ]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '"CODE_REVIEW"',
        "{}",
        '{"run_type": 7}',
        '{"run_type": null}',
        '{"run_type": "CODE_REVIEW", "platform_key": 7}',
        '{"run_type": "CODE_REVIEW", "platform_key": ["nearvity"]}',
    ],
)
async def test_what_is_no_request_is_not_asked(start_relay: StartRelay, supabase: ScriptedServer, body: str) -> None:
    response = await start_relay(workers_url=NOBODY).post("executive-run", content=body)

    assert (response.status_code, response.json()["error_code"]) == (400, "invalid_request")
    assert not supabase.heard


@pytest.mark.parametrize("function", ["ai-scheduler", "scheduled-runs", "stripe-kpis"])
async def test_only_a_launch_is_asked_of_the_database(
    start_relay: StartRelay, supabase: ScriptedServer, function: str
) -> None:
    response = await start_relay(workers_url=NOBODY).post(function, json=LAUNCH | {"action": "execute"})

    assert response.status_code == 503
    assert not supabase.heard


# With a real project --------------------------------------------------------------------------------------------


@pytest.fixture
def sql(project: Stack) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(project.admin_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection
        connection.execute("delete from hq.run_queue")
        connection.execute("delete from hq.request_keys")
        connection.execute("delete from hq.run_requests")
        connection.execute("delete from hq.runs")


@pytest.fixture
def orphan(project: Stack, start_relay: StartRelay) -> Relay:
    """A relay in front of nobody, with a real project behind it; it calls as the president."""
    relay = start_relay(workers_url=NOBODY, supabase_url=project.url, anon_key=project.anon_key)
    relay.headers["authorization"] = f"Bearer {project.sign_in()}"
    return relay


async def test_the_run_is_really_there(orphan: Relay, sql: psycopg.Connection[dict[str, Any]]) -> None:
    response = await orphan.post("executive-run", json=LAUNCH)

    assert response.status_code == 202
    run = sql.execute(
        "select id, run_type, platform_key, status::text, owner_requested, trigger, context"
        " from hq.runs join hq.run_requests on run_id = id"
    ).fetchall()
    assert run == [
        {
            "id": UUID(response.json()["run_id"]),
            "run_type": "CODE_REVIEW",
            "platform_key": "nearvity",
            "status": "pending",
            "owner_requested": True,
            "trigger": "manual",
            "context": {"sujet": "été"},
        }
    ]


async def test_what_the_workers_had_taken_is_found_by_its_key(
    orphan: Relay, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    """A run whose workers died after taking it, in every state that it can have reached since."""
    key = {"idempotency-key": "click-1"}
    taken = (await orphan.post("executive-run", json=LAUNCH, headers=key)).json()["run_id"]

    for status in ("running", "completed"):
        sql.execute("update hq.runs set status = %s::hq.run_status", [status])
        response = await orphan.post("executive-run", json=LAUNCH, headers=key)
        assert (response.json()["run_id"], response.json()["status"]) == (taken, status)

    assert len(sql.execute("select from hq.runs").fetchall()) == 1


async def test_two_clicks_are_one_run(orphan: Relay, sql: psycopg.Connection[dict[str, Any]]) -> None:
    answers = [await orphan.post("executive-run", json=LAUNCH, headers={"origin": ORIGIN}) for _ in "12"]

    assert len({response.json()["run_id"] for response in answers}) == 1
    assert len(sql.execute("select from hq.runs").fetchall()) == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"run_type": "MAKE_COFFEE"}, 400, "unknown_run_type"),
        ({"platform_key": "atlantis"}, 400, "unknown_platform"),
        ({"context_data": "x" * 33_000}, 413, "context_too_large"),
        ({"context_data": {"nul": "\0"}}, 400, "invalid_request"),
        ({"context_data": "\ud800"}, 400, "invalid_request"),
        ({"run_type": "\0"}, 400, "invalid_request"),
    ],
)
async def test_the_real_database_refuses_as_expected(
    orphan: Relay, sql: psycopg.Connection[dict[str, Any]], change: dict[str, Any], status: int, code: str
) -> None:
    # As the page's JSON.stringify would: half a character is written as an escape.
    response = await orphan.post("executive-run", content=json.dumps(LAUNCH | change))

    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert not sql.execute("select from hq.runs").fetchall()


@pytest.mark.parametrize(
    ("who", "status"),
    [("viewer", 403), ("expired", 401), ("forged", 401), ("anon", 401), ("no token", 401), ("nobody", 401)],
)
async def test_the_real_database_lets_in_the_president_only(
    project: Stack, orphan: Relay, sql: psycopg.Connection[dict[str, Any]], who: str, status: int
) -> None:
    tokens = {
        "viewer": project.mint_token(sub=str(VIEWER)),
        "expired": project.mint_token(sub=str(VIEWER), expires_in=-60),
        "forged": project.sign_in()[:-4] + "AAAA",
        "anon": project.anon_key,
        "no token": "chut",
    }
    del orphan.headers["authorization"]
    headers = {"authorization": f"Bearer {tokens[who]}"} if who in tokens else {}

    response = await orphan.post("executive-run", json=LAUNCH, headers=headers)

    assert response.status_code == status
    assert response.json()["error_code"] == {401: "unauthenticated", 403: "forbidden"}[status]
    assert not sql.execute("select from hq.runs").fetchall()


async def test_the_thirty_first_request_in_five_minutes_is_too_many(
    orphan: Relay, sql: psycopg.Connection[dict[str, Any]]
) -> None:
    platforms = [row["key"] for row in sql.execute("select key from hq.platforms order by key").fetchall()]
    types = [
        row["key"]
        for row in sql.execute("select key from hq.run_types where 'manual' = any (allowed_triggers)").fetchall()
    ]
    launches = [{"run_type": one, "platform_key": platform} for one in types for platform in platforms][:31]

    statuses = [(await orphan.post("executive-run", json=launch)).status_code for launch in launches]

    assert statuses == [202] * 30 + [429]
