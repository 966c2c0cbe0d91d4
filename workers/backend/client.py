"""Opens the official asynchronous client over an HTTP client of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from workers import traces
from workers.backend.http import SupabaseHttp
from workers.backend.translate import refuse_bad_answer, translated
from workers.outbound.http import open_post_transport
from workers.ports import UNOBSERVED, Observer
from workers.settings import SupabaseSettings


def is_opaque(key: str) -> bool:
    """Return whether a key is of the newer kind, which is not a token and belongs only in the ``apikey`` header."""
    return key.startswith("sb_")


def key_headers(key: str) -> dict[str, str]:
    """Return the headers of a call made with a key."""
    return {"apikey": key} if is_opaque(key) else {"apikey": key, "authorization": f"Bearer {key}"}


async def _send_no_opaque_bearer(request: httpx.Request) -> None:
    # The official client sends whatever key it has as a bearer token too, which the platform may refuse.
    if request.headers.get("authorization", "").startswith("Bearer sb_"):
        del request.headers["authorization"]


async def _name_trace(request: httpx.Request) -> None:
    # The database keeps it with the run that is requested, for whoever executes that.
    if (traceparent := traces.current_traceparent()) is not None:
        request.headers["traceparent"] = traceparent


@asynccontextmanager
async def open_client(
    settings: SupabaseSettings,
    *,
    network: httpx.AsyncBaseTransport | None = None,
    observer: Observer = UNOBSERVED,
) -> AsyncIterator[AsyncClient]:
    """Open a client that acts with the service key, and close its connections at the end.

    Units: a call takes no longer than the settings' timeout, waiting for a connection included.
    Concurrency: shared by the whole process. Never call ``auth.sign_in…`` or ``postgrest.auth`` on it: they write
    its shared headers, and one caller's call would run as another.
    """
    async with SupabaseHttp(
        within=settings.timeout,
        check=refuse_bad_answer,
        observer=observer,
        # PostgREST has about ten connections of its own to the database.
        transport=network or open_post_transport(max_connections=16),
        event_hooks={"request": [_send_no_opaque_bearer, *([_name_trace] if traces.is_on() else [])]},
    ) as http:
        options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield await acreate_client(str(settings.url), settings.service_key.get_secret_value(), options)


async def ask_auth(settings: SupabaseSettings) -> None:
    """Ask the auth server, which verifies callers' tokens, whether it is there.

    Raises: BackendUnavailable, KeyRefused.
    """
    with translated("auth health"):
        async with SupabaseHttp(within=settings.timeout, check=refuse_bad_answer) as http:
            url = f"{str(settings.url).rstrip('/')}/auth/v1/health"
            await http.get(url, headers={"apikey": settings.service_key.get_secret_value()})
