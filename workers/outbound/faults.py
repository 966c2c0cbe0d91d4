"""Why a call brought nothing back, in terms that belong to no HTTP library."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import aiohttp
import httpx

from shared.errors import UpstreamError


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


def name_fault(error: BaseException) -> Fault:
    """Return the fault that a library's exception, one of ``FAULTS``, stands for."""
    # The transport reports every lost connection as a slow one; the error it translated says more.
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientConnectionError) else error
    return next(FAULTS[known] for known in type(cause).__mro__ if known in FAULTS)
