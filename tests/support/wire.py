"""Answers made in a test, as they come from a socket: in pieces, read once, coded as their headers say."""

from collections.abc import AsyncIterator, Callable

import httpx


def wire(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    """Return a transport that answers by the handler; a body that is bytes arrives as a stream."""

    async def answer(request: httpx.Request) -> httpx.Response:
        made = handler(request)
        if not made.is_stream_consumed:
            return made
        return httpx.Response(made.status_code, headers=made.headers, content=pieces(made.content))

    return httpx.MockTransport(answer)


async def pieces(body: bytes, size: int = 16_384) -> AsyncIterator[bytes]:
    """Yield a body piece by piece."""
    for start in range(0, len(body), size):
        yield body[start : start + size]
