"""A failure that somebody was answered is announced to nobody: the relay sees whether its caller was still there."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.database import Database
from support.hq import RUN_TYPE, Hq, open_hq
from support.page import HEADERS
from support.running_relay import Relay, StartRelay, start_relay_in_front_of
from support.scripted_server import CUT, HOST, Heard, ScriptedServer, answer

from devstack.processes import Processes

RUN = str(uuid4())
LAUNCH = {"run_type": RUN_TYPE}
FAILED = {"success": False, "error": "…", "error_code": "gateway_out_of_credit", "run_id": RUN, "run_type": RUN_TYPE}
# Until the relay asks for confirmation, or would have.
SOON = 1.5


def fail(heard: Heard) -> bytes:
    """Answer as a worker does whose run has failed; take what the relay confirms."""
    if heard.path != "/functions/v1/executive-run":
        return answer(200, {"success": True})
    return answer(402, FAILED, retry_after="7", x_unconfirmed_runs=RUN)


def confirmed(upstream: ScriptedServer) -> list[str]:
    return [run for heard in upstream.heard if heard.path == "/relay/v1/answers" for run in heard.fields["run_ids"]]


async def launch_and_leave(port: int, *, after: float | None, reset: bool) -> None:
    """Send a launch, and close the connection: with a reset, or as a browser does that is closed.

    After so many seconds, or, with None, as soon as the first piece of the answer has come.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    body = json.dumps(LAUNCH).encode()
    head = f"POST /functions/v1/executive-run HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    if after is None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read(1)
    else:
        await asyncio.sleep(after)
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@pytest.mark.parametrize("headers", [{}, HEADERS], ids=["other", "page"])
async def test_the_workers_hear_that_an_answer_arrived_and_the_caller_reads_the_same(
    relay: Relay, upstream: ScriptedServer, headers: dict[str, str]
) -> None:
    upstream.usual = lambda _: answer(402, FAILED, retry_after="7")
    plain = await relay.post("executive-run", json=LAUNCH, headers=headers)
    upstream.usual = fail

    response = await relay.post("executive-run", json=LAUNCH, headers=headers | {"authorization": "Bearer hers"})
    await asyncio.sleep(SOON)

    assert upstream.heard[0].headers["x-relay-confirms"] == "1"
    assert confirmed(upstream) == [RUN]
    assert upstream.heard[-1].headers["authorization"] == "Bearer hers"
    assert (response.status_code, response.json()) == (plain.status_code, plain.json())
    own = {"date", "content-length", "transfer-encoding", "x-request-id", "vary"}
    assert {name: value for name, value in response.headers.items() if name not in own} == {
        name: value for name, value in plain.headers.items() if name not in own
    }
    assert relay.events == []


async def test_who_has_left_is_not_taken_for_answered(relay: Relay, upstream: ScriptedServer) -> None:
    """At once, while the workers take their time, or between the two pieces; with a reset, or as a page is closed."""
    upstream.usual = fail
    upstream.pause = 0.8
    ways = [(after, reset) for after in (0.0, 0.3, None) for reset in (True, False)] * 5

    async with asyncio.TaskGroup() as leaving:
        for after, reset in ways:
            leaving.create_task(launch_and_leave(relay.port, after=after, reset=reset))
    await asyncio.sleep(0.8 + SOON)

    assert len(upstream.heard) == len(ways)
    assert confirmed(upstream) == []


async def test_workers_that_do_not_hear_it_cost_the_caller_nothing(relay: Relay, upstream: ScriptedServer) -> None:
    upstream.usual = lambda heard: fail(heard) if heard.path.startswith("/functions/") else CUT

    response = await relay.post("executive-run", json=LAUNCH)
    await asyncio.sleep(SOON)

    assert response.json() == FAILED
    assert [event["event"] for event in relay.events] == ["relay.unconfirmed"]


async def test_an_isolate_sees_it_too(start_relay: StartRelay, upstream: ScriptedServer) -> None:
    upstream.usual = fail
    relay = start_relay(wall_clock_seconds=60)

    response = await relay.post("executive-run", json=LAUNCH)
    await asyncio.sleep(SOON)

    assert response.json() == FAILED
    assert confirmed(upstream) == [RUN]


# With a real worker, behind the project's gateway ---------------------------------------------------------------


@pytest.fixture
async def hq(database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path) as running:
        yield running


@pytest.fixture
async def functions(hq: Hq, tmp_path: Path) -> AsyncIterator[str]:
    """A worker whose model has no credit left, behind the relay; its address as a page knows it."""
    service = await hq.service()
    await hq.vendors.script("openai", {"status": 402, "delay_ms": 1000}, repeat=True)
    with contextlib.closing(Processes(tmp_path / "relay")) as processes:
        start_relay_in_front_of(hq, service.url, processes, settings={})
        yield f"{hq.stack.url}/functions/v1"


async def test_a_failure_that_the_page_was_answered_is_announced_to_nobody(hq: Hq, functions: str) -> None:
    headers = HEADERS | {"authorization": f"Bearer {hq.stack.sign_in()}"}
    async with httpx.AsyncClient(timeout=20) as page:
        response = await page.post(f"{functions}/executive-run", json=LAUNCH, headers=headers)

    assert response.json()["error_code"] == "gateway_out_of_credit"
    await hq.until("select from hq.announcements where withdrawn_at < due_at", within=5)


async def test_a_failure_whose_requester_closed_the_page_is_announced(hq: Hq, functions: str) -> None:
    headers = HEADERS | {"authorization": f"Bearer {hq.stack.sign_in()}"}
    async with httpx.AsyncClient(timeout=0.7) as page:
        with pytest.raises(httpx.ReadTimeout):
            await page.post(f"{functions}/executive-run", json=LAUNCH, headers=headers)

    await hq.until("select from hq.announcements where kind = 'run_failed'")
    await asyncio.sleep(1.6 + SOON)  # the relay holds a launch so long
    hq.rows("update hq.announcements set due_at = now() returning 1")

    await hq.until("select from hq.announcements where sent_at is not null and withdrawn_at is null")
