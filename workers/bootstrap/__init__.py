"""Composition root: settings → a worker and its HTTP API, opened and closed by one stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from workers.backend.identity import SupabaseIdentity, open_auth
from workers.bootstrap.monitoring import open_monitored_parts
from workers.bootstrap.routes import build_routes
from workers.bootstrap.schema_check import find_differences
from workers.clock import SystemClock
from workers.ports import Clock
from workers.runtime.launcher import RunLauncher
from workers.runtime.worker import Worker
from workers.settings import Settings
from workers.web.app import PREFIX, build_app
from workers.web.openapi import describe

__all__ = ["Service", "find_differences", "open_service", "open_worker"]


@dataclass(frozen=True)
class Service:
    """A worker with its HTTP API."""

    app: ASGIApp
    functions: tuple[str, ...]
    worker: Worker
    launcher: RunLauncher


@asynccontextmanager
async def open_worker(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Worker]:
    """Open everything a worker needs; wait for Supabase as long as it is away.

    Raises: ConfigurationError when Supabase refuses the key, or the database lacks what this version needs.
    """
    async with open_monitored_parts(settings, clock or SystemClock()) as parts:
        yield parts.worker


@asynccontextmanager
async def open_service(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[Service]:
    """Open a worker and the HTTP API through which the screens reach it. Raises: as ``open_worker``."""
    async with (
        open_monitored_parts(settings, clock or SystemClock()) as parts,
        open_auth(settings.supabase, clock=parts.clock) as auth,
    ):
        identity = SupabaseIdentity(auth, parts.client, clock=parts.clock)
        launcher = RunLauncher(parts.worker, parts.store, clock=parts.clock, wait=settings.http.wait)
        routes = build_routes(settings, parts, identity, launcher)
        app = build_app(routes, origins=settings.http.origins, clock=parts.clock, document=describe(routes))
        functions = tuple(dict.fromkeys(route.name for route in routes if route.prefix == PREFIX))
        yield Service(app=app, functions=functions, worker=parts.worker, launcher=launcher)
