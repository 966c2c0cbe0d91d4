"""The one way to call a third party over HTTP.

A call has a deadline, a bound on what it reads, and one way to fail: ``CallFailed``, whose ``fault`` says
what happened in terms that belong to no HTTP library. A status is not a failure here: the caller
knows what a 404 means.
Messages name the method, the host and the fault; never a path, a parameter or a header, where secrets travel.
"""

import asyncio
import json
import math
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import JsonValue
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from shared.errors import UpstreamError
from workers.ports import Clock

CONNECT_TIMEOUT: Final = timedelta(seconds=5)
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
RETRY_AFTER_CAP: Final = timedelta(days=1)
USER_AGENT: Final = "EMOTIONSCARE-HQ"

_GET_ATTEMPTS: Final = 3
# Parsed JSON takes memory in proportion to these marks: a list of empty lists takes twenty times its bytes. The longest
# genuine page, 8 MB of Stripe's indented JSON, has fewer than the limit.
_JSON_MARKS: Final = b",:[{"
_MOST_MARKS: Final = 700_000
_PLAIN: Final = frozenset({"", "identity"})
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_KEEP_ALIVE_SECONDS: Final = 30
_TRANSIENT: Final = frozenset({500, 502, 503, 504})


class Fault(StrEnum):
    """Why a call brought nothing back."""

    TIMED_OUT = "timed out"
    UNREACHABLE = "could not be reached"
    INTERRUPTED = "broke off"
    GARBLED = "answered what cannot be read"
    SATURATED = "has no free connection on our side"
    MISUSED = "was called in a way that cannot work"


FAULTS: Final[Mapping[type[Exception], Fault]] = {
    TimeoutError: Fault.TIMED_OUT,
    OSError: Fault.INTERRUPTED,
    httpx.TimeoutException: Fault.TIMED_OUT,
    httpx.PoolTimeout: Fault.SATURATED,
    httpx.ConnectError: Fault.UNREACHABLE,
    httpx.ProxyError: Fault.UNREACHABLE,
    httpx.NetworkError: Fault.INTERRUPTED,
    httpx.RemoteProtocolError: Fault.INTERRUPTED,
    httpx.DecodingError: Fault.GARBLED,
    httpx.TooManyRedirects: Fault.GARBLED,
    httpx.LocalProtocolError: Fault.MISUSED,
    httpx.UnsupportedProtocol: Fault.MISUSED,
    httpx.HTTPStatusError: Fault.MISUSED,
    httpx.InvalidURL: Fault.MISUSED,
    httpx.CookieConflict: Fault.MISUSED,
    httpx.StreamError: Fault.MISUSED,
    aiohttp.ServerTimeoutError: Fault.TIMED_OUT,
    aiohttp.ClientConnectorError: Fault.UNREACHABLE,
    aiohttp.ClientConnectionError: Fault.INTERRUPTED,
    aiohttp.ClientPayloadError: Fault.INTERRUPTED,
    aiohttp.ClientError: Fault.GARBLED,
}
"""The libraries' exceptions as faults; a class that is missing here is looked up by its nearest base."""


class CallFailed(UpstreamError):
    """A call brought no answer back."""

    code = "call_failed"

    def __init__(self, message: str, *, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault

    @property
    def is_outage(self) -> bool:
        """Return whether the other side, or the way to it, is at fault."""
        return self.fault in {Fault.TIMED_OUT, Fault.UNREACHABLE, Fault.INTERRUPTED}


@dataclass(slots=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: httpx.Headers
    body: bytes
    cut: bool

    def json(self) -> JsonValue:
        """Parse the body; drop it if it cannot be parsed.

        Raises: CallFailed (garbled) when it is not JSON, was cut off for its size, or expands to too much.
        """
        self.require_modest()
        try:
            parsed: JsonValue = json.loads(self.body)
        except (ValueError, RecursionError):
            pass  # raised below: an error with this one as its context would hold the text that was parsed
        else:
            return parsed
        self.forget()
        raise CallFailed(f"the body of a {self.status} is not JSON", fault=Fault.GARBLED)

    def forget(self) -> None:
        """Drop the body before raising an error, which holds every frame it passes through.

        A hundred reads of one run end together: whatever their errors held would be in memory at once.
        """
        self.body = b""

    def require_modest(self) -> None:
        """Check that the body was read whole and does not expand to too much; drop it otherwise.

        Raises: CallFailed (garbled).
        """
        if self.cut:
            problem = "is not JSON, but a part of it"
        elif sum(self.body.count(mark) for mark in _JSON_MARKS) > _MOST_MARKS:
            problem = "unfolds to too much"
        else:
            return
        self.forget()
        raise CallFailed(f"the body of a {self.status} {problem}", fault=Fault.GARBLED)


def open_http(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Open an HTTP client that a whole process shares for calls to third parties.

    Concurrency: as many connections as there are calls; the number of concurrent runs bounds them.
    """
    return httpx.AsyncClient(
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
        cookies=refuse_cookies(),
        transport=transport,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_KEEP_ALIVE_SECONDS),
        timeout=CONNECT_TIMEOUT.total_seconds(),
    )


def refuse_cookies() -> CookieJar:
    """Return a jar that accepts no cookies and sends none.

    A client is shared by calls to sites of different owners under one domain, which would be sent each other's cookies:
    a site could thus make its neighbours refuse our requests.
    """
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


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

    return AiohttpTransport(client=open_session)


async def call(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    within: timedelta,
    max_bytes: int = MAX_BODY_BYTES,
    **request: Any,  # noqa: ANN401 - handed to httpx as they are: headers, params, json
) -> Response:
    """Call once and read at most ``max_bytes`` of what comes back, counted after decompression; 0 reads no body.

    Raises: CallFailed when no status arrived, or not all of the body, by the deadline.
    """
    seconds = within.total_seconds()
    timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT.total_seconds()))
    try:
        async with asyncio.timeout(seconds), http.stream(method, url, timeout=timeout, **request) as response:
            return await _read(response, max_bytes)
    except tuple(FAULTS) as error:
        fault = _name(error)
        raise CallFailed(f"{method} {_host(url)} {fault}", fault=fault) from error


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


async def _read(response: httpx.Response, max_bytes: int) -> Response:
    body = bytearray()
    coding = response.headers.get("content-encoding", "").strip().lower()
    if not max_bytes:  # the status was all that was wanted
        return Response(response.status_code, response.headers, b"", cut=False)
    decode = _open_decoder(coding)
    try:
        # httpx declares an iterator and returns a generator, which must be closed when it is left early.
        async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                body += decode(chunk, max_bytes + 1 - len(body))
                if len(body) > max_bytes:
                    # Leaving the stream early closes the connection: the rest is never read.
                    return Response(response.status_code, response.headers, bytes(body[:max_bytes]), cut=True)
        return Response(response.status_code, response.headers, bytes(body), cut=False)
    finally:
        body.clear()  # an error that leaves this frame would hold what is in it


def _open_decoder(coding: str) -> Callable[[bytes, int], bytes]:
    """Return a function that decodes a chunk into at most so many bytes: a few chunks may expand to gigabytes.

    Raises: httpx.DecodingError for a coding that was not asked for, such as two on top of each other.
    """
    if coding in _PLAIN:
        return lambda chunk, _: chunk
    if coding not in _GZIP:
        raise httpx.DecodingError(f"content-encoding {coding[:20]!r} was not asked for")
    gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def unfold(chunk: bytes, at_most: int) -> bytes:
        try:
            return gzip.decompress(chunk, at_most)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    return unfold


def _name(error: BaseException) -> Fault:
    # The transport reports every lost connection as a slow one; the error it translated says more.
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientConnectionError) else error
    return next(FAULTS[known] for known in type(cause).__mro__ if known in FAULTS)


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
