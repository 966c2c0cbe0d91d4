"""How every request to Supabase is made: within one deadline, from the wait for a connection to the last byte.

The HTTP libraries limit each read only, so a server that sends one byte now and then never exceeds their limits.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import httpx

from workers.outbound.http import CONNECT_TIMEOUT, refuse_cookies

MAX_BODY_BYTES: Final = 32 * 1024 * 1024

_NO_CONTENT: Final = 204
# Headers that no longer hold once the answer has been read.
_CODINGS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class SupabaseHttp(httpx.AsyncClient):
    """An HTTP client that returns whole answers, checked if a check is given, or raises; it keeps no cookies.

    The deadline is in real time, not the clock port's, because the wait is for a network.
    Raises: httpx.TransportError at the deadline, or if the answer is larger than any of ours; what the check raises.
    """

    def __init__(
        self,
        *,
        within: timedelta,
        check: Callable[[httpx.Response], None] | None = None,
        **options: Any,  # noqa: ANN401 - handed to httpx as they are
    ) -> None:
        seconds = within.total_seconds()
        timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT.total_seconds()))
        super().__init__(cookies=refuse_cookies(), timeout=timeout, **options)
        self._within = seconds
        self._check = check

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401 - as in httpx
        """Send a request and read the whole answer; every other method of the client sends through this one."""
        try:
            async with asyncio.timeout(self._within):
                response = await super().send(request, **options | {"stream": True})
                try:
                    answer = await _read(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole answer within {self._within:g} s", request=request) from error
        if self._check is not None:
            self._check(answer)
        return answer


async def _read(response: httpx.Response) -> httpx.Response:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise httpx.ReadError(f"an answer of more than {MAX_BODY_BYTES} bytes")
    if response.status_code == _NO_CONTENT and not body:
        # The answer of a function that returns nothing; the client library would turn it into an empty list.
        body = bytearray(b"null")
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _CODINGS]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=response.request)
