"""How often the project's public keys are asked for.

Whoever writes a token names the key it says it was signed with, and the auth client asks for the keys again whenever it
does not know the name. Made-up names must not make us the hammer on our own auth server: between the client and the
network, an answer is kept for a moment, and who asks meanwhile gets the same.
"""

import asyncio
from datetime import timedelta
from typing import Final

import httpx

from workers.ports import Clock

_PATH: Final = "/.well-known/jwks.json"

# A project publishes a new key long before it signs with it.
_KEPT_FOR: Final = timedelta(seconds=10)
_FAULT_KEPT_FOR: Final = timedelta(seconds=1)


class SparingTransport(httpx.AsyncBaseTransport):
    """Passes requests on, but that for the keys only once in a while.

    Concurrency: those who ask while an answer is on its way share it.
    """

    def __init__(self, network: httpx.AsyncBaseTransport, *, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._asking: asyncio.Task[httpx.Response] | None = None
        self._asked_at = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from the network, or as the network answered a moment ago."""
        if not request.url.path.endswith(_PATH):
            return await self._network.handle_async_request(request)
        if self._asking is None or self._is_old(self._asking):
            self._asking = asyncio.create_task(self._ask(request))
            self._asked_at = self._clock.monotonic()
        # Not cancelled with whoever happened to ask first.
        told = await asyncio.shield(self._asking)
        return httpx.Response(told.status_code, content=told.content, headers={"content-type": "application/json"})

    async def aclose(self) -> None:
        """Close the network's connections."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._network.aclose()

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await self._network.handle_async_request(request)
        await response.aread()
        return httpx.Response(response.status_code, content=response.content)

    def _is_old(self, asking: "asyncio.Task[httpx.Response]") -> bool:
        if not asking.done():
            return False
        failed = asking.cancelled() or asking.exception() is not None or not asking.result().is_success
        kept_for = _FAULT_KEPT_FOR if failed else _KEPT_FOR
        return self._clock.monotonic() - self._asked_at >= kept_for.total_seconds()
