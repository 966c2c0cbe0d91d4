"""A call that is cancelled, wherever it is, keeps no connection."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpcore
import httpx
import pytest

from workers import outbound

# More steps of the event loop than a whole call takes.
STEPS = 60
ROUNDS = 4


class Server:
    """Answers every request at once, keeps connections, and knows how many are open."""

    def __init__(self) -> None:
        self.open = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server


async def read_one(http: httpx.AsyncClient, url: str) -> bytes:
    async with http.stream("GET", url) as response:
        return await response.aread()


async def test_a_call_that_is_cancelled_at_any_step_keeps_no_connection(server: Server) -> None:
    async with outbound.open_http() as http:
        ends = []
        for steps in list(range(STEPS)) * ROUNDS:
            calls = [asyncio.ensure_future(read_one(http, server.url)) for _ in range(2)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            ends += await asyncio.gather(*calls, return_exceptions=True)

        # What is idle is used again; each call that runs beside another has a connection of its own.
        assert await asyncio.gather(*(read_one(http, server.url) for _ in range(2))) == [b"{}"] * 2
        deadline = time.monotonic() + 5
        while server.open > 2 and time.monotonic() < deadline:  # noqa: ASYNC110 - a count, not an event
            await asyncio.sleep(0.01)
        assert server.open <= 2

    assert {type(end) for end in ends} == {asyncio.CancelledError, bytes}, "some were cancelled, some had ended"


async def test_a_mistake_of_ours_while_a_request_is_sent_is_no_lost_connection(server: Server) -> None:
    async def write() -> AsyncIterator[bytes]:
        raise AttributeError("a body's own")
        yield b""

    async with outbound.open_http() as http:
        with pytest.raises(AttributeError, match="a body's own"):
            await http.post(server.url, content=write())


async def test_a_client_of_few_connections_outlives_many_deadlines(server: Server) -> None:
    """As the one that verifies tokens: each connection that is kept for ever would be one less for good."""
    limits = httpx.Limits(max_connections=2)
    async with httpx.AsyncClient(transport=outbound.open_get_transport(limits), timeout=5) as http:
        for steps in list(range(STEPS)) * ROUNDS:
            call = asyncio.ensure_future(read_one(http, server.url))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])

        assert await read_one(http, server.url) == b"{}"


class ResetAtOnce(httpcore.AsyncNetworkBackend):
    """A network whose sockets are gone when anyio looks at them, as uvloop's are after a reset."""

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        return None.setsockopt  # type: ignore[attr-defined,no-any-return]


async def test_a_socket_that_was_reset_as_soon_as_it_was_open_is_a_failed_connection() -> None:
    transport = outbound.CancellableTransport()
    transport._pool._network_backend = ResetAtOnce()
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("http://127.0.0.1/")
