"""Who is calling, as a worker finds it out."""

from contextlib import AsyncExitStack
from datetime import timedelta

from pydantic import HttpUrl, SecretStr

from support.hq import Hq
from workers.backend.client import open_client
from workers.backend.identity import SupabaseIdentity, open_auth
from workers.clock import SystemClock
from workers.ports import Clock
from workers.settings import SupabaseSettings


async def open_identity(
    stack: AsyncExitStack, hq: Hq, *, key: str | None = None, clock: Clock | None = None
) -> SupabaseIdentity:
    """Open what a worker verifies tokens with, against this project."""
    settings = SupabaseSettings(
        url=HttpUrl(hq.stack.url),
        service_key=SecretStr(key or hq.stack.service_role_key),
        timeout=timedelta(seconds=5),
    )
    auth = await stack.enter_async_context(open_auth(settings, clock=clock or SystemClock()))
    return SupabaseIdentity(auth, await stack.enter_async_context(open_client(settings)), clock=clock or SystemClock())
