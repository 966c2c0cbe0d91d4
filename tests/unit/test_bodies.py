"""What an answer may cost in memory, whoever sends it."""

import asyncio
import gc
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter
from support.wire import pieces, wire

from workers import outbound
from workers.outbound import CallFailed, Fault
from workers.outbound.bodies import MOST_MARKS, is_modest
from workers.outbound.shapes import ForeignModel, Present

SECOND = timedelta(seconds=1)
# No value takes more, whatever it is made of.
MARK_BYTES = 120


class Thing(ForeignModel):
    name: str = ""
    has_more: Present = False
    parts: list[str] = Field(default=[])


THINGS = TypeAdapter(list[Thing])


def answered(body: bytes) -> outbound.Response:
    return outbound.Response(200, httpx.Headers(), body, cut=False)


@pytest.mark.parametrize("item", [b"[]", b"{}", b"0.5", b'"ab"', b'{"":0}', b'{"ab":"cd"}', b'{"a":[]}', b'[{"":[]}]'])
def test_what_is_parsed_takes_no_more_than_its_marks_allow(item: bytes) -> None:
    marks = sum(map(item.count, (b",", b":", b"[", b"{"))) + 1
    body = b"[" + b",".join([item] * (MOST_MARKS // marks - 1)) + b"]"
    response = answered(body)
    tracemalloc.start()
    response.json()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < MARK_BYTES * MOST_MARKS + 2 * len(body)


@given(
    st.recursive(st.none() | st.floats(allow_nan=False) | st.text(), st.lists) | st.dictionaries(st.text(), st.text())
)
def test_no_value_is_without_a_mark(value: object) -> None:
    body = json.dumps(value).encode()

    assert is_modest(body, most_marks=sum(map(body.count, (b",", b":", b"[", b"{"))))
    assert not is_modest(body + b",", most_marks=sum(map(body.count, (b",", b":", b"[", b"{"))))


def test_the_count_is_linear() -> None:
    def take(size: int) -> float:
        body = b'{"":[],' * size
        began = time.process_time()
        for _ in range(20):
            is_modest(body)
        return time.process_time() - began

    assert min(take(64_000) for _ in range(10)) <= 6 * min(take(16_000) for _ in range(10))


def test_of_an_answer_little_is_kept() -> None:
    long = {"name": "é" * 5_000, "has_more": [[]] * 200, "parts": ["a"] * 200}

    things = answered(json.dumps([long] * 150).encode()).parse(THINGS)

    assert len(things) == 100
    assert {(len(thing.name), thing.has_more, len(thing.parts)) for thing in things} == {(1_000, True, 100)}


def test_an_answer_of_another_shape_is_held_by_no_error() -> None:
    response = answered(b'{"a": 1}')
    with pytest.raises(CallFailed, match="another shape") as raised:
        response.parse(THINGS)

    assert (raised.value.__cause__, raised.value.__context__, response.body) == (None, None, b"")


async def test_the_body_of_a_redirect_is_not_read() -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield gzip.compress(bytes(1_000_000))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/new":
            return httpx.Response(200, content=b"here")
        headers = {"location": "/new", "content-encoding": "gzip"}
        return httpx.Response(301, headers=headers, content=flood())

    async with httpx.AsyncClient(transport=wire(answer)) as http:
        found = await outbound.call(http, "GET", "https://moved.example/old", within=SECOND, follow_redirects=True)

    assert (found.status, found.body, sent) == (200, b"here", 0)


async def test_redirects_without_end_are_an_answer() -> None:
    moved = wire(lambda _: httpx.Response(302, headers={"location": "/again"}))
    async with httpx.AsyncClient(transport=moved) as http:
        found = await outbound.call(http, "GET", "https://moved.example/", within=SECOND, follow_redirects=True)

    assert found.status == httpx.codes.FOUND


async def test_of_an_error_only_the_beginning_is_read() -> None:
    refusing = wire(lambda _: httpx.Response(400, content=pieces(b"x" * 1_000_000)))
    async with httpx.AsyncClient(transport=refusing) as http:
        refused = await outbound.call(http, "GET", "https://api.example/", within=SECOND)

    assert (len(refused.body), refused.cut) == (32 * 1024, True)


async def test_two_long_bodies_of_a_host_are_read_at_once_and_no_other_host_waits() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        await asyncio.sleep(60)

    def answer(request: httpx.Request) -> httpx.Response:
        slow = request.url.path == "/slow"
        return httpx.Response(200, content=trickle() if slow else pieces(b"x" * 100_000))

    async with httpx.AsyncClient(transport=wire(answer)) as http:

        async def ask(url: str, within: timedelta = SECOND / 4) -> int | Fault:
            try:
                return len((await outbound.call(http, "GET", url, within=within)).body)
            except CallFailed as failed:
                return failed.fault

        slow = [asyncio.create_task(ask("https://one.example/slow", SECOND)) for _ in range(2)]
        await asyncio.sleep(0.05)
        late, other = await asyncio.gather(ask("https://one.example/"), ask("https://two.example/"))
        after = [await task for task in slow]

        assert (late, other, after) == (Fault.TIMED_OUT, 100_000, [Fault.TIMED_OUT] * 2)
        assert await ask("https://one.example/") == 100_000


@asynccontextmanager
async def flooding(rest: bytes) -> AsyncIterator[str]:
    """Answer each request with the beginning of a body, and this rest again and again until the caller hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
            while rest:
                writer.write(rest)
                await writer.drain()
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_connection_that_is_left_early_is_freed_without_the_collector() -> None:
    def count() -> int:
        return sum(type(each).__name__ == "AsyncHTTP11Connection" for each in gc.get_objects())

    before = count()
    gc.disable()
    try:
        async with flooding(b"x" * 64_000) as url, outbound.open_http() as http:
            for _ in range(10):
                answer = await outbound.call(http, "GET", url, within=20 * SECOND)
                assert answer.cut

            assert count() - before <= 1
    finally:
        gc.enable()


async def test_who_is_cancelled_twice_leaves_no_connection_open() -> None:
    """Deadlines lie inside each other, and two of them may end together."""
    network = outbound.open_get_transport(httpx.Limits())
    assert network is not None
    async with flooding(b"") as url, outbound.open_http(network) as http:
        for turns in range(8):
            asking = asyncio.create_task(outbound.call(http, "GET", url, within=20 * SECOND))
            await asyncio.sleep(0.05)
            asking.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            await asyncio.sleep(0.05)

        assert "Requests: 0 active, 0 queued | Connections: 0 active, 0 idle" in repr(vars(network)["_pool"])


@pytest.mark.parametrize(
    "tail", [bytes(16_384), b"\x00\x00\x00\xff\xff" * 3_000], ids=["after the end", "empty blocks"]
)
async def test_bytes_that_expand_to_nothing_are_not_read_without_end(tail: bytes) -> None:
    sent = 0
    coder = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    head = coder.compress(b"[]") + coder.flush(zlib.Z_FINISH if tail[-1] == 0 else zlib.Z_SYNC_FLUSH)

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        yield head
        while sent < 20_000:
            sent += 1
            yield tail

    headers = {"content-encoding": "gzip"}
    async with httpx.AsyncClient(
        transport=wire(lambda _: httpx.Response(200, headers=headers, content=flood()))
    ) as http:
        ended = await _end_of(outbound.call(http, "GET", "https://api.example/", within=20 * SECOND))

    assert ended in {Fault.GARBLED, "cut"}
    assert sent < 2_000


async def _end_of(call: Awaitable[outbound.Response]) -> Fault | str:
    try:
        response = await call
    except CallFailed as failed:
        return failed.fault
    return "cut" if response.cut else "whole"
