"""Limits how often the project's public keys are fetched.

A forger chooses the key id in a token, and the auth client fetches the keys again for every id that it does not know.
Made-up ids must not make us flood our own auth server: between the client and the network, an answer is cached for a
moment, and every request meanwhile gets the same one.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Final

import httpx
from pydantic import JsonValue

from workers.backend.http import read_whole
from workers.backend.translate import read_fields
from workers.ports import Clock
from workers.runtime.shared_read import SharedRead

_PATH: Final = "/.well-known/jwks.json"

# A project publishes a new key long before it signs with it.
_KEPT_FOR: Final = timedelta(seconds=10)
_MOST_BYTES: Final = 256 * 1024
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
                response.request = request
                async with aclosing(response):
                    answer = await read_whole(response, _MOST_BYTES)
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no keys within {self._within:g} s", request=request) from error
        answer = httpx.Response(answer.status_code, content=answer.content, headers=_content_type(answer))
        if not (answer.is_success and holds_keys(read_fields(answer))):
            raise _NoKeys(answer)
        return answer


def _content_type(answer: httpx.Response) -> dict[str, str]:
    return {"content-type": answer.headers.get("content-type", "")}


def holds_keys(fields: Mapping[str, JsonValue]) -> bool:
    """Return whether every entry is a public key; a project that signs with a shared secret has none."""
    keys = fields.get("keys")
    return isinstance(keys, list) and all(map(_is_key, keys))


def _is_key(entry: JsonValue) -> bool:
    fields = entry if isinstance(entry, dict) else {}
    return isinstance(fields.get("kty"), str) and (isinstance(fields.get("x"), str) or isinstance(fields.get("n"), str))
