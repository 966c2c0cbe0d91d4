"""Requests that nobody should send, byte for byte: nothing crashes, and nothing is run."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
from support.hq import RUN_TYPE, Hq, Service

RUN = json.dumps({"run_type": RUN_TYPE}).encode()
HERE = "/functions/v1/executive-run"


async def _say(
    service: Service, head: str, body: bytes = b"", *, connection: str = "close"
) -> tuple[int, dict[str, Any] | None]:
    """Send these bytes, byte for byte; return the status, 0 for a connection that was closed instead, and the body."""
    port = httpx.URL(service.url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{head}\nconnection: {connection}\n\n".replace("\n", "\r\n").encode("latin-1") + body)
        async with asyncio.timeout(10):
            status_line, _, _ = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
            answer = await reader.read() if connection == "close" else await reader.readuntil(b"}")
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, None
    finally:
        writer.close()
    try:
        return int(status_line.split()[1]), json.loads(answer)
    except ValueError:
        return int(status_line.split()[1]), None


PATHS = [
    "//functions/v1/executive-run", "/functions/v1//executive-run", f"{HERE}/", f"{HERE}%00", f"{HERE}%2f",
    f"{HERE};a=b",
    "/functions/v1/../v1/executive-run", "/functions/v1/%2e%2e/v1/executive-run", "/functions/v1/x/../executive-run",
    "/FUNCTIONS/V1/EXECUTIVE-RUN", "/functions/v1/executive_run", "/functions/v1/", "/", "*", f"{HERE}%ff%fe",
    f"/functions/v1/{'a' * 8000}", "/functions/v1/healthz", "/openapi.json", "/rest/v1/rpc/request_hq_run",
]  # fmt: skip

HEADS: dict[str, str] = {
    "no length that is one": "content-length: -1",
    "no length": "content-length: five",
    "two lengths": f"content-length: {len(RUN)}\ncontent-length: 3",
    "a length and pieces": f"content-length: {len(RUN)}\ntransfer-encoding: chunked",
    "pieces that are none": "transfer-encoding: chunked",
    "another coding": f"transfer-encoding: gzip\ncontent-length: {len(RUN)}",
    "a length over the limit": "content-length: 99999999999999999999",
    "a name with a space": f"content-length: {len(RUN)}\na b: c",
    "a folded line": f"content-length: {len(RUN)}\nx: a\n b: c",
}
TOKENS = [
    "", "Bearer", "Bearer ", "Bearer a b", "Basic b3duZXI6", "Bearer \xe9\xe9", "Bearer a.b.c", "bearer null",
    f"Bearer {'a' * 20_000}", "Bearer undefined", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
]  # fmt: skip
METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "X-RUN"]
KEYS = ["", " ", "a" * 5000, "\xe9\xe9\xe9", "'; drop table hq.runs; --", "null", "a\tb"]


async def test_no_spelling_of_a_path_leads_anywhere_else(hq: Hq) -> None:
    service = await hq.service()
    usual = f"host: x\nauthorization: Bearer {hq.stack.sign_in()}\ncontent-length: {len(RUN)}"

    for path in PATHS:
        status, body = await _say(service, f"POST {path} HTTP/1.1\n{usual}", RUN)
        assert status in (400, 404, 405), path
        assert body is None or body["error_code"] in ("unknown_route", "wrong_method"), path
    await _is_well_and_has_run_nothing(hq, service)


async def test_no_other_method_does_anything(hq: Hq) -> None:
    service = await hq.service()
    overrides = "x-http-method-override: POST\nx-method-override: POST"
    usual = f"host: x\n{overrides}\nauthorization: Bearer {hq.stack.sign_in()}\ncontent-length: {len(RUN)}"

    for method in METHODS:
        status, _ = await _say(service, f"{method} {HERE}?_method=POST HTTP/1.1\n{usual}", RUN)
        assert status in (400, 405), method
    await _is_well_and_has_run_nothing(hq, service)


async def test_no_other_protocol_is_spoken(hq: Hq) -> None:
    service = await hq.service()
    key = "sec-websocket-version: 13\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="

    for protocol in ("websocket", "h2c", "TLS/1.2"):
        head = f"GET {HERE} HTTP/1.1\nhost: x\ncontent-length: 0\nupgrade: {protocol}\n{key}"
        status, body = await _say(service, head, connection="upgrade")
        assert (status, body and body["error_code"]) == (405, "wrong_method"), protocol
    await _is_well_and_has_run_nothing(hq, service)


async def test_headers_that_lie_are_refused(hq: Hq) -> None:
    service = await hq.service()
    owner = hq.stack.sign_in()

    for what, head in HEADS.items():
        status, body = await _say(service, f"POST {HERE} HTTP/1.1\nhost: x\nauthorization: Bearer {owner}\n{head}", RUN)
        assert status == 0 or 400 <= status < 500, what
        assert body is None or body["success"] is False, what
    for token in TOKENS:
        head = f"POST {HERE} HTTP/1.1\nhost: x\nauthorization: {token}\ncontent-length: {len(RUN)}"
        status, body = await _say(service, head, RUN)
        assert (status, body and body["error_code"]) == (401, "unauthenticated"), token[:40]
    await _is_well_and_has_run_nothing(hq, service)


BODIES: dict[str, Callable[[], bytes]] = {
    "another encoding": lambda: json.dumps({"run_type": RUN_TYPE}).encode("utf-16-le")[:-1],
    "compressed": lambda: b"\x1f\x8b\x08\x00" + b"\x00" * 20,
    "xml": lambda: b"<run_type>CODE_REVIEW</run_type>",
    "a form": lambda: b"run_type=CODE_REVIEW",
    "two objects": lambda: RUN + RUN,
    "half an object": lambda: RUN[:-1],
    "a comment": lambda: b"/* */" + RUN,
    "a NUL after it": lambda: RUN + b"\x00",
    "deep": lambda: b'{"run_type":"CODE_REVIEW","context_data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a number beyond all bounds": lambda: b'{"run_type":"CODE_REVIEW","context_data":' + b"9" * 20_000 + b"}",
    "over the limit by one byte": lambda: RUN + b" " * (256 * 1024 + 1 - len(RUN)),
    "a type that is an object": lambda: b'{"run_type":{"toString":"CODE_REVIEW"}}',
    "a platform that is a list": lambda: b'{"run_type":"CODE_REVIEW","platform_key":["nearvity"]}',
    "a platform that is SQL": lambda: b'{"run_type":"CODE_REVIEW","platform_key":"\'; drop table hq.runs; --"}',
    "a prototype": lambda: b'{"__proto__":{"run_type":"CODE_REVIEW"}}',
}


async def test_bodies_that_are_none_are_refused(hq: Hq) -> None:
    service = await hq.service()
    owner = hq.stack.sign_in()

    for what, make in BODIES.items():
        async with httpx.AsyncClient() as http:
            answer = await http.post(
                f"{service.url}/executive-run", content=make(), headers={"authorization": f"Bearer {owner}"}
            )
        assert 400 <= answer.status_code < 500, (what, answer.text)
        assert answer.json()["error_code"], what
    await _is_well_and_has_run_nothing(hq, service)


async def test_a_strange_key_is_refused_or_a_key(hq: Hq) -> None:
    service = await hq.service()
    usual = f"host: x\nauthorization: Bearer {hq.stack.sign_in()}\ncontent-length: {len(RUN)}"
    accepted = set()

    for key in KEYS:
        status, body = await _say(service, f"POST {HERE} HTTP/1.1\n{usual}\nidempotency-key: {key}", RUN)
        assert status == 200 or 400 <= status < 500, key[:40]
        if body and "run_id" in body:
            accepted.add(body["run_id"])

    assert {str(run["id"]) for run in hq.rows("select id from hq.runs")} == accepted


async def _is_well_and_has_run_nothing(hq: Hq, service: Service) -> None:
    assert not hq.rows("select from hq.runs")
    assert not service.worker.events("http.crashed"), service.worker.tail()
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{service.url}/healthz")).status_code == 200
