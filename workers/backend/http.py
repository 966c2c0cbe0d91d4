"""How every request to Supabase is made: within one deadline, from the wait for a connection to the last byte.

The HTTP libraries limit each read only, so a server that sends one byte now and then never exceeds their limits.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import httpx

from workers.outbound.bodies import cancel_once, close, is_modest, read_body
from workers.outbound.http import CookielessClient, limit_connecting
from workers.ports import UNOBSERVED, BackendCallEnd, Observer

# Eight claims with the checkpoints of a whole collection each have six megabytes.
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_MOST_MARKS: Final = 700_000

_FUNCTIONS: Final = "/rpc/"
_NO_CONTENT: Final = 204
# Headers that no longer hold once the answer has been read.
_CODINGS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class SupabaseHttp(CookielessClient):
    """An HTTP client that returns whole answers, checked if a check is given, or raises; it keeps no cookies.

    The deadline is in real time, not the clock port's, because the wait is for a network.
    Raises: httpx.TransportError at the deadline, or if the answer is larger than any of ours; what the check raises.
    """

    def __init__(
        self,
        *,
        within: timedelta,
        check: Callable[[httpx.Response], None] | None = None,
        observer: Observer = UNOBSERVED,
        **options: Any,  # noqa: ANN401 - handed to httpx as they are
    ) -> None:
        super().__init__(timeout=limit_connecting(within), **options)
        self._within = within.total_seconds()
        self._check = check
        self._observer = observer

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401 - as in httpx
        """Send a request and read the whole answer; every other method of the client sends through this one."""
        began = asyncio.get_running_loop().time()
        end = BackendCallEnd.UNAVAILABLE
        try:
            answer = await self._send_in_time(request, options)
            end = BackendCallEnd.ANSWERED if answer.is_success else BackendCallEnd.REFUSED
        except asyncio.CancelledError:
            end = BackendCallEnd.ABANDONED
            raise
        finally:
            _, is_function, name = request.url.path.rpartition(_FUNCTIONS)
            if is_function:
                seconds = asyncio.get_running_loop().time() - began
                self._observer.note_backend_call(name, end, seconds)
        return answer

    async def _send_in_time(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        request.headers["accept-encoding"] = "gzip"
        try:
            async with asyncio.timeout(self._within):
                answer = await cancel_once(self._exchange(request, options))
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole answer within {self._within:g} s", request=request) from error
        if self._check is not None:
            self._check(answer)
        return answer

    async def _exchange(self, request: httpx.Request, options: Mapping[str, Any]) -> httpx.Response:
        response = await super().send(request, **{**options, "stream": True, "follow_redirects": False})
        try:
            return await read_whole(response, MAX_BODY_BYTES)
        finally:
            await close(response)


async def read_whole(response: httpx.Response, max_bytes: int) -> httpx.Response:
    """Read a whole answer, which may be parsed. Raises: httpx.TransportError, also if it is larger than any of ours."""
    content = response.content if response.is_stream_consumed else await _read(response, max_bytes)
    if response.status_code == _NO_CONTENT and not content:
        # The answer of a function that returns nothing; the client library would turn it into an empty list.
        content = b"null"
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _CODINGS]
    return httpx.Response(response.status_code, headers=headers, content=content, request=response.request)


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    try:
        read = await read_body(response, max_bytes)
    except httpx.DecodingError as error:
        raise httpx.ReadError(str(error)) from error
    too_much = read.cut and response.is_success  # of an error, the beginning is enough
    if too_much or not is_modest(read.body, most_marks=_MOST_MARKS, most_objects=_MOST_MARKS):
        raise httpx.ReadError(f"an answer larger than any of ours, of {len(read.body)} bytes or more")
    return read.body
