"""Opens the official asynchronous client over an HTTP client of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from workers.backend.translate import refuse_bad_status, translated
from workers.outbound.http import open_post_transport, refuse_cookies
from workers.settings import SupabaseSettings


def is_opaque(key: str) -> bool:
    """Return whether a key is of the newer kind, which is no token: it belongs in the header ``apikey`` alone."""
    return key.startswith("sb_")


def key_headers(key: str) -> dict[str, str]:
    """Return the headers by which a call is made with a key."""
    return {"apikey": key} if is_opaque(key) else {"apikey": key, "authorization": f"Bearer {key}"}


async def _send_no_opaque_bearer(request: httpx.Request) -> None:
    # The official client sends whatever key it has as a bearer token too, which the platform may refuse.
    if request.headers.get("authorization", "").startswith("Bearer sb_"):
        del request.headers["authorization"]


@asynccontextmanager
async def open_client(settings: SupabaseSettings) -> AsyncIterator[AsyncClient]:
    """Open a client that acts with the service key, and close its connections at the end.

    Concurrency: shared by the whole process. Never call ``auth.sign_in…`` or ``postgrest.auth`` on it: they write
    its shared headers, and one caller's call would run as another.
    """
    async with httpx.AsyncClient(
        cookies=refuse_cookies(),
        timeout=httpx.Timeout(settings.timeout.total_seconds(), connect=5),
        # PostgREST has about ten connections of its own to the database.
        transport=open_post_transport(max_connections=16),
        event_hooks={"request": [_send_no_opaque_bearer], "response": [refuse_bad_status]},
    ) as http:
        options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield await acreate_client(str(settings.url), settings.service_key.get_secret_value(), options)


async def ask_auth(settings: SupabaseSettings) -> None:
    """Ask the auth server, which verifies callers' tokens, whether it is there.

    Raises: BackendUnavailable, KeyRefused, BackendRejected.
    """
    with translated("auth health"):
        async with httpx.AsyncClient(
            cookies=refuse_cookies(),
            timeout=settings.timeout.total_seconds(),
            event_hooks={"response": [refuse_bad_status]},
        ) as http:
            url = f"{str(settings.url).rstrip('/')}/auth/v1/health"
            answer = await http.get(url, headers={"apikey": settings.service_key.get_secret_value()})
            answer.raise_for_status()
