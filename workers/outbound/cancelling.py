"""httpx's own transport, of which a cancelled call takes no connection with it.

httpcore keeps a connection for ever, open and counted, if the task is cancelled just after it was opened, or while an
answer is closed: a deadline that falls there costs a socket, and a client of eight connections is dead after eight.
So each call runs in a task of its own, which is cancelled only where the library cleans up after itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Final

import httpx

# httpcore's names, of what it reports as a call goes on. Between these two kinds it waits for no network.
_HELD: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})
_FREE: Final = frozenset({"connection.start_tls.started", "http11.send_request_headers.started"})


class CancellableTransport(httpx.AsyncHTTPTransport):
    """Sends as httpx does; a call that is cancelled closes what it opened.

    Concurrency: one task for each call, one for the end of each answer.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises: as httpx does."""
        call = _Call()
        request.extensions = {**request.extensions, "trace": call.note}
        sending = asyncio.ensure_future(super().handle_async_request(request))
        try:
            response = await asyncio.shield(sending)
        except asyncio.CancelledError:
            await _to_the_end(call.abandon(sending))
            raise
        except AttributeError as error:
            if call.is_under_way:
                raise
            # anyio's, where it looks at a socket that was reset as soon as it was open, or while it was idle.
            raise httpx.ConnectError("the connection was lost as soon as it was open", request=request) from error
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Answer(response.stream)
        return response


class _Call:
    """Where a call is."""

    def __init__(self) -> None:
        self.is_under_way = False  # it has its connection, and the request is being sent
        self._is_held = False

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Note what the library reports."""
        del info
        self.is_under_way = self.is_under_way or event.startswith("http11.")
        if event in _HELD:
            self._is_held = True
        elif event in _FREE:
            self._is_held = False

    async def abandon(self, sending: "asyncio.Future[httpx.Response]") -> None:
        """Cancel the call as soon as that is harmless, a few steps of the event loop later, and wait for its end."""
        while self._is_held and not sending.done():
            await asyncio.wait([sending], timeout=0)  # one step; an event would wake us after it has gone on
        sending.cancel()
        await asyncio.wait([sending])
        if not sending.cancelled() and sending.exception() is None:
            with contextlib.suppress(httpx.TransportError):
                await sending.result().aclose()


class _Answer(httpx.AsyncByteStream):
    """The body of an answer, which is closed wholly or not at all."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        """Close the answer and free its connection."""
        await _to_the_end(self._stream.aclose())


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something of a few steps, also if whoever waits for it is cancelled."""
    await asyncio.shield(asyncio.ensure_future(work))
