"""Opens the official asynchronous client over an HTTP client of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from workers.backend.translate import refuse_bad_status
from workers.settings import SupabaseSettings


@asynccontextmanager
async def open_client(settings: SupabaseSettings) -> AsyncIterator[AsyncClient]:
    """Open a client that acts with the service key, and close its connections at the end.

    Concurrency: shared by the whole process. Never call ``auth.sign_in…`` or ``postgrest.auth`` on it: they write
    its shared headers, and one caller's call would run as another.
    """
    # The pool looks at every connection for every call, and PostgREST has ten of its own to the database.
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=30)
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(settings.timeout.total_seconds(), connect=5),
        limits=limits,
        event_hooks={"response": [refuse_bad_status]},
    ) as http:
        options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        yield await acreate_client(str(settings.url), settings.service_key.get_secret_value(), options)
