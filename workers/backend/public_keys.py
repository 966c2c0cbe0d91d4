"""Limits how often the project's public keys are fetched.

A forger chooses the key id in a token, and the auth client fetches the keys again for every id that it does not know.
Made-up ids must not make us flood our own auth server: between the client and the network, an answer is cached for a
moment, and every request meanwhile gets the same one.
"""

import asyncio
from datetime import timedelta
from typing import Final

import httpx

from workers.backend.translate import parse_json
from workers.ports import Clock
from workers.runtime.shared_read import SharedRead

_PATH: Final = "/.well-known/jwks.json"

# A project publishes a new key long before it signs with it.
_KEPT_FOR: Final = timedelta(seconds=10)
_FAULT_KEPT_FOR: Final = timedelta(seconds=1)
# A caller that finds an answer stuck for this long asks on another connection.
_PATIENCE: Final = timedelta(seconds=1)


class _NoKeys(Exception):
    """The auth server answered something other than its keys."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer


class SparingTransport(httpx.AsyncBaseTransport):
    """Passes requests on, but those for the keys only once in a while.

    Concurrency: callers that ask while an answer is on its way share it; it has its own deadline, because it outlives
    the first caller.
    """

    def __init__(self, network: httpx.AsyncBaseTransport, *, clock: Clock, within: timedelta) -> None:
        self._network = network
        self._within = within.total_seconds()
        self._keys = SharedRead[httpx.Response](_KEPT_FOR, clock, failure_ttl=_FAULT_KEPT_FOR, patience=_PATIENCE)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from the network, or with what it answered a moment ago."""
        if not request.url.path.endswith(_PATH):
            return await self._network.handle_async_request(request)
        try:
            answer = await self._keys.get(lambda: self._ask(request))
        except _NoKeys as fault:
            answer = fault.answer
        return httpx.Response(answer.status_code, content=answer.content, headers=_content_type(answer))

    async def aclose(self) -> None:
        """Close the network's connections."""
        await self._keys.close()
        await self._network.aclose()

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(self._within):
                response = await self._network.handle_async_request(request)
                await response.aread()
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no keys within {self._within:g} s", request=request) from error
        answer = httpx.Response(response.status_code, content=response.content, headers=_content_type(response))
        if not (answer.is_success and _holds_keys(answer)):
            raise _NoKeys(answer)
        return answer


def _content_type(answer: httpx.Response) -> dict[str, str]:
    return {"content-type": answer.headers.get("content-type", "")}


def _holds_keys(answer: httpx.Response) -> bool:
    try:
        body = parse_json(answer.headers["content-type"], answer.content)
    except ValueError:
        return False
    return isinstance(body, dict) and isinstance(body.get("keys"), list)
