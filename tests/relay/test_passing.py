"""What goes to the workers, and what comes back of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from support.page import HEADERS, ORIGIN
from support.running_relay import Relay, StartRelay
from support.scripted_server import CUT, HOST, SILENCE, ScriptedServer, answer, write

FUNCTIONS = [
    "executive-run",
    "ai-scheduler",
    "scheduled-runs",
    "stripe-kpis",
    "check-api-status",
    "platform-monitor",
    "retry-dlq-runs",
    "check-ai-budget",
    "check-push-triggers",
]
LIMIT = 256 * 1024
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_every_function_reaches_its_namesake(relay: Relay, upstream: ScriptedServer, function: str) -> None:
    response = await relay.post(function, json={"action": "status"}, headers=HEADERS)

    assert response.json() == {"success": True}
    (heard,) = upstream.heard
    assert (heard.method, heard.path) == ("POST", f"/functions/v1/{function}")
    assert heard.fields == {"action": "status"}


async def test_a_function_that_stays_as_it_was_has_no_relay(relay: Relay) -> None:
    assert (await relay.post("hq-chat")).status_code == 404


async def test_who_calls_is_passed_on_and_nothing_else(relay: Relay, upstream: ScriptedServer) -> None:
    sent = HEADERS | {"x-cron-secret": "a-secret", "cookie": "a=b", "x-forwarded-for": "10.0.0.1"}

    await relay.post("scheduled-runs", json={}, headers=sent)

    (heard,) = upstream.heard
    passed = {name: heard.headers[name] for name in ("authorization", "apikey", "x-client-info", "x-cron-secret")}
    assert passed == {name: sent[name] for name in passed}
    assert heard.headers["content-type"] == "application/json"
    assert not {"cookie", "x-forwarded-for", "origin"} & set(heard.headers)


async def test_the_trace_of_a_caller_is_passed_on(relay: Relay, upstream: ScriptedServer) -> None:
    await relay.post("executive-run", json={}, headers=HEADERS | {"traceparent": TRACEPARENT, "baggage": "a=b"})

    (heard,) = upstream.heard
    assert heard.headers["traceparent"] == TRACEPARENT
    assert not {"baggage", "tracestate"} & set(heard.headers)


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 4_000,
        TRACEPARENT.upper(),
        f"{TRACEPARENT}-more",
        TRACEPARENT.replace("00-4", "ff-4"),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
    ],
    ids=range(6),
)
async def test_what_is_no_trace_is_not_passed_on(relay: Relay, upstream: ScriptedServer, hostile: str) -> None:
    response = await relay.post("executive-run", json={}, headers=HEADERS | {"traceparent": hostile})

    (heard,) = upstream.heard
    assert response.json() == {"success": True}
    assert "traceparent" not in heard.headers


async def test_a_call_without_a_body_stays_one(relay: Relay, upstream: ScriptedServer) -> None:
    await relay.post("stripe-kpis", headers=HEADERS)

    (heard,) = upstream.heard
    assert heard.body == b""
    assert "content-type" not in heard.headers


async def test_status_body_and_headers_come_back(relay: Relay, upstream: ScriptedServer) -> None:
    reported = {"error": "Limite atteinte : 30 demandes.", "retryAfter": 7}
    upstream.script(answer(429, reported, retry_after="7", x_request_id="theirs", server="fly", set_cookie="a=b"))

    response = await relay.post("executive-run", json={})

    assert (response.status_code, response.json()) == (429, reported)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["retry-after"] == "7"
    assert response.headers["x-request-id"] == "theirs"
    assert not {"server", "set-cookie", "x-relay-status"} & set(response.headers)


async def test_every_request_has_an_id_and_a_key(relay: Relay, upstream: ScriptedServer) -> None:
    first, second = [await relay.post("executive-run", json={}) for _ in range(2)]

    keys = {heard.headers["idempotency-key"] for heard in upstream.heard}
    ids = [heard.headers["x-request-id"] for heard in upstream.heard]
    assert len({uuid.UUID(key) for key in keys}) == 2
    assert ids == [first.headers["x-request-id"], second.headers["x-request-id"]]
    assert len(keys | set(ids)) == 4


async def test_the_callers_own_id_and_key_are_kept(relay: Relay, upstream: ScriptedServer) -> None:
    own = {"idempotency-key": "click:42", "x-request-id": "req-7"}

    response = await relay.post("executive-run", json={}, headers=own)

    assert own.items() <= upstream.heard[0].headers.items()
    assert response.headers["x-request-id"] == "req-7"


@pytest.mark.parametrize("insane", [b"", b"a" * 129, b"two words", b'{"a":1}', "clé".encode("latin-1")])
async def test_an_insane_id_or_key_is_replaced(relay: Relay, upstream: ScriptedServer, insane: bytes) -> None:
    await relay.post("executive-run", json={}, headers={b"idempotency-key": insane, b"x-request-id": insane})

    (heard,) = upstream.heard
    assert uuid.UUID(heard.headers["idempotency-key"])
    assert uuid.UUID(heard.headers["x-request-id"])


# Methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_another_method_is_refused_at_the_door(relay: Relay, upstream: ScriptedServer, method: str) -> None:
    response = await relay.request(method, "executive-run", headers=HEADERS)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST, OPTIONS"
    assert bool(response.content) == (method != "HEAD")
    assert not upstream.heard


# Size -----------------------------------------------------------------------------------------------------------


async def _in_pieces(size: int) -> AsyncIterator[bytes]:
    """Yield a body whose size is not announced."""
    for start in range(0, size, 65_536):
        yield b" " * min(65_536, size - start)


@pytest.mark.parametrize("is_told", [True, False])
async def test_the_largest_body_passes_whole(relay: Relay, upstream: ScriptedServer, *, is_told: bool) -> None:
    response = await relay.post("ai-scheduler", content=b" " * LIMIT if is_told else _in_pieces(LIMIT))

    assert response.status_code == 200
    assert upstream.heard[0].body == b" " * LIMIT


@pytest.mark.parametrize("size", [LIMIT + 1, 20 * LIMIT])
@pytest.mark.parametrize("is_told", [True, False])
async def test_a_larger_one_is_refused(relay: Relay, upstream: ScriptedServer, size: int, *, is_told: bool) -> None:
    response = await relay.post("ai-scheduler", content=b" " * size if is_told else _in_pieces(size))

    assert response.status_code == 413
    assert response.json()["error_code"] == "body_too_large"
    assert not upstream.heard


async def _write(relay: Relay, reported: bytes) -> bytes:
    """Write what no client of good manners writes; return what comes back before the connection is cut."""
    reader, writer = await asyncio.open_connection(HOST, relay.port)
    writer.write(b"POST /functions/v1/stripe-kpis HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + reported)
    answered = await reader.read(65_536)
    writer.close()
    return answered


async def test_no_more_is_read_than_was_announced(relay: Relay, upstream: ScriptedServer) -> None:
    answered = await _write(relay, b"content-length: 20\r\n\r\n" + b" " * 2_000)

    assert answered.startswith(b"HTTP/1.1 200")
    assert upstream.heard[0].body == b" " * 20


async def test_an_announced_excess_is_refused_before_it_is_sent(relay: Relay) -> None:
    assert (await _write(relay, b"content-length: 262145\r\n\r\n")).startswith(b"HTTP/1.1 413")


async def test_a_size_that_hides_a_larger_body_deceives_nobody(relay: Relay, upstream: ScriptedServer) -> None:
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    answered = await _write(
        relay, b"content-length: 20\r\ntransfer-encoding: chunked\r\n\r\n" + piece * 8 + b"0\r\n\r\n"
    )

    assert answered.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))
    assert not upstream.heard


async def test_a_body_that_never_comes_whole_is_refused_in_time(
    start_relay: StartRelay, upstream: ScriptedServer
) -> None:
    answered = await _write(start_relay(RELAY_TIMEOUT_MS=200), b"content-length: 20\r\n\r\n{}")

    assert answered.startswith(b"HTTP/1.1 400")
    assert not upstream.heard


# Connections ----------------------------------------------------------------------------------------------------


async def test_a_dropped_launch_is_tried_again_with_the_same_key(relay: Relay, upstream: ScriptedServer) -> None:
    upstream.script(CUT, answer(200, {"success": True, "run_id": "r"}))

    response = await relay.post("executive-run", json={"run_type": "CODE_REVIEW"})

    assert response.json()["run_id"] == "r"
    first, second = upstream.heard
    assert first == second


@pytest.mark.parametrize("function", ["stripe-kpis", "check-api-status", "platform-monitor"])
async def test_a_dropped_reading_is_tried_again_once(relay: Relay, upstream: ScriptedServer, function: str) -> None:
    upstream.script(CUT, CUT, answer())

    response = await relay.post(function)

    assert response.status_code == 503
    assert len(upstream.heard) == 2


@pytest.mark.parametrize("function", ["ai-scheduler", "scheduled-runs"])
async def test_what_could_be_paid_twice_is_not_tried_again(
    relay: Relay, upstream: ScriptedServer, function: str
) -> None:
    upstream.script(CUT, answer())

    response = await relay.post(function, json={"action": "ai_decide"})

    assert (response.status_code, response.json()["error_code"]) == (503, "workers_silent")
    assert len(upstream.heard) == 1


async def test_an_answer_that_does_not_come_in_time_is_a_504(start_relay: StartRelay, upstream: ScriptedServer) -> None:
    relay = start_relay(RELAY_TIMEOUT_MS=200)
    upstream.script(SILENCE)

    response = await relay.post("stripe-kpis", headers={"x-request-id": "req-7"})

    assert (response.status_code, response.json()["error_code"]) == (504, "workers_silent")
    assert len(upstream.heard) == 1
    assert relay.events == [{"event": "relay.workers_late", "function": "stripe-kpis", "request_id": "req-7"}]


@pytest.mark.parametrize(
    "reply",
    [
        write(502, b""),
        write(503, b"<h1>no machine is up</h1>", content_type="text/html"),
        write(200, b"<h1>parked</h1>", content_type="text/html"),
        write(204, b"", content_type="application/json"),
        write(200, b'{"cut": ', content_type="application/json", content_length="100"),
        b"HTTP/1.1 this is not\r\n\r\n",
    ],
)
async def test_who_does_not_speak_json_is_not_the_workers(relay: Relay, upstream: ScriptedServer, reply: bytes) -> None:
    upstream.script(reply, reply)

    response = await relay.post("check-api-status", headers=HEADERS)

    assert (response.status_code, response.json()["error_code"]) == (503, "workers_silent")


async def test_a_redirection_is_a_silence_and_takes_the_token_nowhere(
    relay: Relay, upstream: ScriptedServer, supabase: ScriptedServer
) -> None:
    upstream.script(answer(307, {}, location=f"{supabase.url}/elsewhere"))

    response = await relay.post("platform-monitor", headers=HEADERS)

    assert (response.status_code, response.json()["error_code"]) == (503, "workers_silent")
    assert not supabase.heard


async def test_how_the_workers_are_is_read_by_anybody(start_relay: StartRelay, upstream: ScriptedServer) -> None:
    upstream.script(answer(503, {"status": "degraded"}, cache_control="no-store"))

    response = await start_relay(ALLOWED_ORIGIN="https://one.example").get("healthz", headers={"origin": ORIGIN})

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["access-control-allow-origin"] == "*"
    assert [(heard.method, heard.path, heard.body) for heard in upstream.heard] == [
        ("GET", "/functions/v1/healthz", b"")
    ]


async def test_that_no_worker_answers_is_said_in_the_shape_in_which_they_say_how_they_are(
    start_relay: StartRelay,
) -> None:
    response = await start_relay(workers_url="http://127.0.0.1:1").get("healthz")

    assert response.status_code == 503
    assert response.json().keys() == {"status", "version", "timestamp", "checks"}
    assert response.json()["checks"]["workers"] == {"ok": False, "detail": "unreachable"}


async def test_an_unset_address_is_a_silence(start_relay: StartRelay) -> None:
    response = await start_relay(workers_url="").post("platform-monitor", json={})

    assert (response.status_code, response.json()["error_code"]) == (503, "workers_silent")


async def test_what_went_wrong_is_told_to_nobody(start_relay: StartRelay) -> None:
    relay = start_relay(workers_url="http://workers.invalid:81")

    response = await relay.post("stripe-kpis", headers=HEADERS | {"x-request-id": "req-7"})

    assert "workers.invalid" not in response.text
    assert relay.events == [{"event": "relay.workers_unreachable", "function": "stripe-kpis", "request_id": "req-7"}]


# Origins --------------------------------------------------------------------------------------------------------


async def _preflight(relay: Relay, origin: str) -> dict[str, str]:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-client-info"}
    response = await relay.options("executive-run", headers={"origin": origin} | asked)
    assert response.status_code == 200
    return dict(response.headers)


async def test_any_origin_is_allowed_unless_told_otherwise(relay: Relay, upstream: ScriptedServer) -> None:
    headers = await _preflight(relay, ORIGIN)

    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    asked_by_page = {"authorization", "apikey", "content-type", "x-client-info"}
    asked_by_page |= {"x-region", "x-retry-count", "traceparent", "tracestate", "baggage"}  # of newer clients
    assert asked_by_page <= set(headers["access-control-allow-headers"].split(", "))
    assert headers["access-control-max-age"] == "3600"  # else a page that polls asks before every call
    assert not upstream.heard


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://one.example", True),
        ("https://two.example", True),
        ("https://two.example.evil.example", False),
        ("https://one.example, https://two.example", False),
        ("null", False),
    ],
)
async def test_listed_origins_are_answered_one_by_one(start_relay: StartRelay, origin: str, *, allowed: bool) -> None:
    relay = start_relay(ALLOWED_ORIGIN="https://one.example, https://two.example/")

    answers = [await _preflight(relay, origin)]
    answers += [dict((await relay.post("stripe-kpis", headers={"origin": origin})).headers)]
    answers += [dict((await relay.get("stripe-kpis", headers={"origin": origin})).headers)]

    for headers in answers:
        assert headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert headers["vary"] == "Origin"
