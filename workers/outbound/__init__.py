"""Calls to third parties over HTTP: the one way to make them, and what they cost."""

from workers.outbound.bodies import MAX_BODY_BYTES, Response
from workers.outbound.cancelling import CancellableTransport
from workers.outbound.faults import FAULTS, CallFailed, Fault
from workers.outbound.http import (
    CONNECT_TIMEOUT,
    RETRY_AFTER_CAP,
    USER_AGENT,
    CookielessClient,
    call,
    get,
    open_get_transport,
    open_http,
    open_post_transport,
    parse_retry_after,
)

__all__ = [
    "CONNECT_TIMEOUT",
    "FAULTS",
    "MAX_BODY_BYTES",
    "RETRY_AFTER_CAP",
    "USER_AGENT",
    "CallFailed",
    "CancellableTransport",
    "CookielessClient",
    "Fault",
    "Response",
    "call",
    "get",
    "open_get_transport",
    "open_http",
    "open_post_transport",
    "parse_retry_after",
]
