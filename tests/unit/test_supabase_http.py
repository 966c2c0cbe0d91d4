"""Every call to Supabase ends within its setting, however slowly the answer comes, and holds up nobody else."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import httpx
import pytest

from workers.backend import http as supabase_http
from workers.backend.http import SupabaseHttp
from workers.outbound.http import open_post_transport

WITHIN = timedelta(seconds=0.8)
# What a busy machine may add.
SLACK = 2.0

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def say_nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def stall_after_the_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n")
    await asyncio.sleep(60)


async def trickle(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def trickle_the_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.1)


async def never_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b" " * 1024 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def answer_well(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]")
    await writer.drain()


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[str]:
    """Answer each connection in its own way, the last way once the others are used up."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            await (left.pop(0) if len(left) > 1 else left[0])(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


def networks() -> dict[str, httpx.AsyncBaseTransport | None]:
    return {"aiohttp": open_post_transport(max_connections=4), "httpx": httpx.AsyncHTTPTransport()}


@pytest.mark.parametrize("network", ["aiohttp", "httpx"])
@pytest.mark.parametrize("slowly", [say_nothing, stall_after_the_head, trickle, trickle_the_head, never_end])
async def test_a_call_ends_within_its_time_however_slowly_it_is_answered(network: str, slowly: Answer) -> None:
    async with (
        serving(slowly, answer_well) as url,
        SupabaseHttp(within=WITHIN, transport=networks()[network]) as http,
    ):
        began = time.monotonic()
        stuck = asyncio.create_task(http.post(url))
        await asyncio.sleep(0.1)
        assert (await http.post(url)).json() == []
        assert not stuck.done()

        with pytest.raises(httpx.TransportError):
            await stuck

    assert time.monotonic() - began < WITHIN.total_seconds() + SLACK


async def test_an_answer_without_end_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supabase_http, "MAX_BODY_BYTES", 10_000)
    async with serving(never_end) as url, SupabaseHttp(within=timedelta(seconds=20)) as http:
        with pytest.raises(httpx.ReadError):
            await http.post(url)


async def test_an_answer_is_unfolded_and_says_no_more_that_it_was_folded() -> None:
    async with SupabaseHttp(
        within=WITHIN,
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"[1]"))
        ),
    ) as http:
        answer = await http.get("http://project/")

    assert (answer.json(), "content-encoding" in answer.headers) == ([1], False)
