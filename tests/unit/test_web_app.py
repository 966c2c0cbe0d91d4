"""The HTTP API without a network: whatever comes in, a JSON answer goes out, with CORS and a request id."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog

from shared.errors import RateLimited, UnknownRunType
from shared.runs import RunId
from workers.clock import SystemClock
from workers.web.app import BODY_BYTES, Route, build_app
from workers.web.exchange import Request, Response, read_object

URL = "http://workers/functions/v1"
PAGE = "https://emotionscare.example"


async def echo(request: Request) -> Response:
    body = read_object(request)
    if body.get("raise") == "caller":
        raise UnknownRunType.named(str(body.get("key")))
    if body.get("raise") == "limit":
        raise RateLimited
    if body.get("raise"):
        raise RuntimeError("password=hunter2")
    structlog.get_logger().info("echoed")
    return Response({"body": body})


def client(*origins: str) -> httpx.AsyncClient:
    app = build_app(
        [Route("echo", echo), Route("open", echo, method="GET", public=True)],
        origins=frozenset(origins or ("*",)),
        clock=SystemClock(),
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL)


@pytest.fixture
async def api() -> AsyncIterator[httpx.AsyncClient]:
    async with client() as opened:
        yield opened


async def test_a_body_comes_in_and_an_answer_goes_out(api: httpx.AsyncClient) -> None:
    answer = await api.post("/echo", json={"a": "é"})

    assert (answer.status_code, answer.json()) == (200, {"body": {"a": "é"}})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b"[]", b'"text"', b"5", b"null", b"\xff\xfe\x00", b'{"a": NaN}', b'{"a": -Infinity}',
        b"[" * 100_000, b'{"a":' * 40_000, b"1" * 5000,
    ],
    ids=range(12),
)  # fmt: skip
async def test_what_is_no_json_object_is_a_bad_request(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/echo", content=body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_request")
    assert answer.json()["success"] is False


@pytest.mark.parametrize(("headers", "noted"), [({}, 2), ({"x-relay-confirms": "1"}, 0)])
async def test_an_answer_about_failures_is_noted_here_or_confirmed_by_the_relay(
    headers: dict[str, str], noted: int
) -> None:
    runs = [RunId(uuid4()), RunId(uuid4())]
    heard: list[RunId] = []

    async def fail(request: Request) -> Response:
        del request
        return Response({"success": False}, 402, failed_runs=runs, on_answer=heard.append)

    app = build_app([Route("fail", fail)], origins=frozenset("*"), clock=SystemClock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as http:
        answer = await http.post("/fail", headers=headers)

    assert heard == runs[:noted]
    assert answer.headers.get("x-unconfirmed-runs") == (None if noted else f"{runs[0]},{runs[1]}")


async def test_no_body_is_an_empty_one(api: httpx.AsyncClient) -> None:
    assert (await api.post("/echo")).json() == {"body": {}}


async def test_a_text_that_utf8_cannot_hold_does_not_break_the_answer(api: httpx.AsyncClient) -> None:
    answer = await api.post("/echo", content=rb'{"raise": "caller", "key": "\ud800"}')

    assert answer.status_code == 400
    assert "« ? »" in answer.json()["error"]


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit_is_refused(api: httpx.AsyncClient, declared: bool) -> None:  # noqa: FBT001 - a parameter
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 1024 + 1):
            yield b" " * 1024

    content: Any = b" " * (BODY_BYTES + 1) if declared else pieces()
    answer = await api.post("/echo", content=content)

    assert (answer.status_code, answer.json()["error_code"]) == (413, "body_too_large")
    assert (await api.post("/echo", content=b" " * BODY_BYTES)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "BREW"])
async def test_another_method_is_refused_and_the_right_one_named(api: httpx.AsyncClient, method: str) -> None:
    answer = await api.request(method, "/echo")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("path", ["/nothing", "/echo/", "/echo/more", "/%00", "/ECHO", "/../v2"])
async def test_another_address_is_not_found(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.post(path)

    assert (answer.status_code, answer.json()["error_code"]) == (404, "unknown_route")
    assert answer.headers["x-request-id"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_crash_reveals_nothing_of_itself(api: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await api.post("/echo", json={"raise": "us"})

    assert (answer.status_code, answer.json()["error_code"]) == (500, "workers_error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert any(line["event"] == "http.crashed" and line.get("exc_info") for line in logs)


async def test_who_asks_too_often_learns_when_to_come_back(api: httpx.AsyncClient) -> None:
    answer = await api.post("/echo", json={"raise": "limit"})

    assert (answer.status_code, answer.headers["retry-after"], answer.json()["retryAfter"]) == (429, "60", 60)


async def test_a_request_keeps_its_id_in_answer_and_logs(api: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await api.post("/echo", headers={"x-request-id": "req-1.a:b"})

    assert answer.headers["x-request-id"] == "req-1.a:b"
    assert {(line["event"], line["request_id"]) for line in logs} == {
        ("echoed", "req-1.a:b"),
        ("http.answered", "req-1.a:b"),
    }


async def test_of_a_path_that_anybody_makes_up_only_the_beginning_is_logged(api: httpx.AsyncClient) -> None:
    with structlog.testing.capture_logs() as logs:
        await api.get("/" + 50_000 * "x")

    (line,) = logs
    assert len(line["path"]) == 200
    assert line["path"].endswith("xxx")


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", '"}', "é".encode()])
async def test_an_id_that_could_disturb_a_log_is_replaced(api: httpx.AsyncClient, given: Any) -> None:
    first, second = [await api.post("/echo", headers={"x-request-id": given}) for _ in range(2)]

    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-request-id"].isalnum()


@pytest.mark.parametrize("path", ["/echo", "/open"])
async def test_a_preflight_is_answered(path: str) -> None:
    async with client(PAGE) as api:
        answer = await api.options(path, headers={"origin": PAGE, "access-control-request-method": "POST"})

    assert answer.status_code == 200
    assert "OPTIONS" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]


async def test_what_newer_clients_send_is_allowed() -> None:
    async with client(PAGE) as api:
        answer = await api.options("/echo", headers={"origin": PAGE, "access-control-request-method": "POST"})

    allowed = set(answer.headers["access-control-allow-headers"].split(", "))
    assert allowed >= {"x-region", "x-retry-count", "traceparent", "tracestate", "baggage"}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(PAGE, PAGE), ("http://localhost:8080", "http://localhost:8080"), ("https://evil.example", None), (None, None)],
)
async def test_each_allowed_origin_is_answered_by_its_own_name(origin: str | None, allowed: str | None) -> None:
    async with client(PAGE, "http://localhost:8080") as api:
        answers = [
            await api.post("/echo", headers={"origin": origin} if origin else {}),
            await api.post("/nothing", headers={"origin": origin} if origin else {}),
        ]

    for answer in answers:
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert answer.headers["vary"] == "Origin"


async def test_what_is_public_may_be_read_by_any_page() -> None:
    async with client(PAGE) as api:
        answer = await api.get("/open", headers={"origin": "https://status.example"})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "vary" not in answer.headers


async def test_a_client_that_leaves_in_the_middle_of_its_request_is_not_answered() -> None:
    app = build_app([Route("echo", echo)], origins=frozenset("*"), clock=SystemClock())
    scope = {
        "type": "http", "method": "POST", "path": "/functions/v1/echo", "raw_path": b"", "query_string": b"",
        "headers": [], "http_version": "1.1", "scheme": "http", "root_path": "",
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(json.dumps(message, default=str))

    await app(scope, receive, send)

    assert sent == []
