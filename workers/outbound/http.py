"""The one way to call a third party over HTTP.

A call has a deadline, a bound on what it reads, and one way to fail: ``CallFailed``, whose ``fault`` says
what happened in terms that belong to no HTTP library. A status is not a failure here: the caller
knows what a 404 means.
Messages name the method, the host and the fault; never a path, a parameter or a header, where secrets travel.
"""

import asyncio
import math
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from socket import SO_RCVBUF, SOL_SOCKET
from typing import Any, Final
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from workers import traces
from workers.outbound.bodies import MAX_BODY_BYTES, Response, TakePlace, cancel_once, close, find_places, read_body
from workers.outbound.cancelling import CancellableTransport
from workers.outbound.faults import FAULTS, CallFailed, Fault, name_fault
from workers.ports import Clock

CONNECT_TIMEOUT: Final = timedelta(seconds=5)
RETRY_AFTER_CAP: Final = timedelta(days=1)
USER_AGENT: Final = "EMOTIONSCARE-HQ"

_GET_ATTEMPTS: Final = 3
_RECEIVED_BYTES: Final = 32 * 1024  # doubled by the kernel
_MOST_REDIRECTS: Final = 5
_KEEP_ALIVE_SECONDS: Final = 30
_TRANSIENT: Final = frozenset({500, 502, 503, 504})


def open_http(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Open an HTTP client that a whole process shares for calls to third parties.

    Concurrency: as many connections as there are calls; the number of concurrent runs bounds them.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_KEEP_ALIVE_SECONDS)
    return CookielessClient(
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
        transport=transport or open_get_transport(limits),
        limits=limits,
        timeout=CONNECT_TIMEOUT.total_seconds(),
    )


class _NoCookies(httpx.Cookies):
    """Holds none, and takes none of those that answers set: a jar that refuses them costs a tenth of a call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take nothing."""

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:  # noqa: ARG002 - httpx's own
        """Refuse: all clients share this jar."""
        raise TypeError("This client keeps no cookies.")


_NO_COOKIES: Final = _NoCookies()


class CookielessClient(httpx.AsyncClient):
    """A client that accepts no cookies and sends none.

    It is shared by calls to sites of different owners under one domain, which would be sent each other's cookies: a
    site could thus make its neighbours refuse our requests.
    """

    @property
    def cookies(self) -> httpx.Cookies:
        """Return no cookies; the library asks here where to put those of an answer."""
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        del cookies
        raise TypeError("This client keeps no cookies.")


def open_get_transport(limits: httpx.Limits) -> httpx.AsyncBaseTransport | None:
    """Return httpx's own transport, with a bound on what a connection receives before it is read.

    The library below takes all that the event loop finds in a socket, and uvloop looks 32 times in a row: six megabytes
    a connection from a quick sender.
    Shape: None behind a proxy, whose connections httpx opens as it likes.
    """
    if getproxies():
        return None
    return CancellableTransport(limits=limits, socket_options=[(SOL_SOCKET, SO_RCVBUF, _RECEIVED_BYTES)])


def open_post_transport(*, max_connections: int | None) -> httpx.AsyncBaseTransport | None:
    """Let httpx send through aiohttp: half the CPU per call, a fifth with a hundred calls in flight.

    For POST alone: a GET whose connection is lost is repeated by aiohttp behind our back.
    Shape: None behind a proxy, which httpx's own transport looks up once and aiohttp at every call, in a thread.
    """
    if getproxies():
        return None
    tls = httpx.create_ssl_context()

    def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections or 0, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return _PostTransport(client=open_session)


class _PostTransport(AiohttpTransport):
    """Sends the user and the password of an address as the header that httpx has made of them.

    aiohttp refuses a request that has both, with a ValueError.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.userinfo:
            request.url = request.url.copy_with(userinfo=b"")
        return await super().handle_async_request(request)


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    within: timedelta,
    max_bytes: int = MAX_BODY_BYTES,
    follow_redirects: bool = False,
    **request: Any,  # noqa: ANN401 - handed to httpx as they are: headers, params, json
) -> Response:
    """Call once and read at most ``max_bytes`` of what comes back, counted after decompression; 0 reads no body.

    Concurrency: a long body waits for one of its host's places; it is to be parsed before anything is awaited.
    Raises: CallFailed when no status arrived, or not all of the body, by the deadline.
    """
    seconds = within.total_seconds()
    timeout = limit_connecting(within)
    host = _host(url)
    try:
        with traces.span("call", method=method, host=host) as calling:
            async with asyncio.timeout(seconds), AsyncExitStack() as held:
                response = await cancel_once(
                    _send(
                        http,
                        http.build_request(method, url, timeout=timeout, **request),
                        partial(held.enter_async_context, find_places(host)),
                        max_bytes=max_bytes,
                        redirects=_MOST_REDIRECTS if follow_redirects else 0,
                    )
                )
            calling.note(status=response.status)
            return response
    except tuple(FAULTS) as error:
        fault = name_fault(error)
        raise CallFailed(f"{method} {host} {fault}", fault=fault) from error


def limit_connecting(within: timedelta) -> httpx.Timeout:
    """Return the library's own time limits for a call that has a deadline: to connect, where that is shorter.

    A limit that ended together with the deadline would cancel the call twice (``cancel_once``).
    """
    return httpx.Timeout(None, connect=CONNECT_TIMEOUT.total_seconds() if within > CONNECT_TIMEOUT else None)


async def get(
    http: httpx.AsyncClient,
    url: str,
    *,
    within: timedelta,
    clock: Clock,
    max_bytes: int = MAX_BODY_BYTES,
    **request: Any,  # noqa: ANN401 - handed to httpx as they are: headers, params
) -> Response:
    """Read something, with up to two retries of faults that may pass, each after a jittered wait.

    A limit (403, 429) is not retried here: only the caller knows when it ends.
    Units: ``within`` bounds the tries and the waits together.
    Raises: CallFailed, as ``call`` does.
    """
    attempts = AsyncRetrying(
        stop=stop_after_attempt(_GET_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.25, max=2),
        retry=retry_if_exception(_may_pass) | retry_if_result(lambda response: response.status in _TRANSIENT),
        sleep=lambda seconds: clock.sleep(timedelta(seconds=seconds)),
        retry_error_callback=_last_outcome,
    )
    try:
        async with asyncio.timeout(within.total_seconds()):
            response: Response = await attempts(call, http, "GET", url, within=within, max_bytes=max_bytes, **request)
    except TimeoutError as error:
        raise CallFailed(f"GET {_host(url)} {Fault.TIMED_OUT}", fault=Fault.TIMED_OUT) from error
    return response


def parse_retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read how long to wait, in any of its three forms: milliseconds, seconds, an HTTP date.

    Shape: never negative, at most ``RETRY_AFTER_CAP``; None when absent or unreadable.
    """
    fields = httpx.Headers(headers)
    delay = _parse_number(fields.get("retry-after-ms"), timedelta(milliseconds=1))
    if delay is None:
        stated = fields.get("retry-after")
        delay = _parse_number(stated, timedelta(seconds=1))
        if delay is None:
            delay = _parse_date(stated, now)
    return None if delay is None else max(timedelta(0), min(delay, RETRY_AFTER_CAP))


def _parse_number(text: str | None, unit: timedelta) -> timedelta | None:
    try:
        amount = float(text or "")
    except ValueError:
        return None
    if math.isnan(amount):
        return None
    # Clamped before it is multiplied: a timedelta cannot hold every float.
    return max(0.0, min(amount, RETRY_AFTER_CAP / unit)) * unit


def _parse_date(text: str | None, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


async def _send(
    http: httpx.AsyncClient, request: httpx.Request, take_place: TakePlace, *, max_bytes: int, redirects: int
) -> Response:
    # Redirects are followed here, because the library reads their bodies, whatever they expand to.
    response = await http.send(request, stream=True, follow_redirects=False)
    try:
        following = response.next_request if redirects else None
        if following is None:
            return await read_body(response, max_bytes, take_place)
    finally:
        await close(response)
    return await _send(http, following, take_place, max_bytes=max_bytes, redirects=redirects - 1)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.fault is not Fault.MISUSED


def _last_outcome(state: RetryCallState) -> Response:
    outcome = state.outcome
    assert outcome is not None
    response: Response = outcome.result()
    return response


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or "?"
    except httpx.InvalidURL:
        return "?"
