"""Projects on clones of the HQ, and clients that are closed after each test."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.clients import GRANTS, QUICK, Puppet, close_client, connect_as, execute
from support.people import create_viewer

from devstack.stack import Stack, Tuning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from supabase import AsyncClient

    from devstack.baseline import Variant
    from devstack.postgres import PostgresCluster


@pytest.fixture(scope="session")
def open_stack(cluster: PostgresCluster) -> Callable[..., contextlib.AbstractContextManager[Stack]]:
    """Open a project of one's own, on a clone of the HQ as the host made it."""

    @contextlib.contextmanager
    def open_one(variant: Variant = "head", tuning: Tuning = QUICK, *, grants: bool = True) -> Iterator[Stack]:
        database = f"project_{uuid.uuid4().hex[:12]}"
        cluster.clone(variant, database)
        with Stack.start(cluster=cluster, database=database, port=None, tuning=tuning) as running:
            if grants:
                execute(running, GRANTS)
            yield running
        cluster.drop(database)

    return open_one


@pytest.fixture(scope="module")
def stack(open_stack: Callable[..., contextlib.AbstractContextManager[Stack]]) -> Iterator[Stack]:
    """A project for a whole module, with an owner, a viewer, and the grants of our migrations."""
    with open_stack() as running:
        create_viewer(running)
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a stack's data, gone afterwards.

    Not in `tmp_path`, which only its owner may enter: as root, PostgreSQL's own account could not, and the stack
    would keep its data elsewhere, for its next start.
    """
    with tempfile.TemporaryDirectory(prefix="devstack-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name, "data")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client; a busy machine may take its time, also to free a connection."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[AsyncClient]]]:
    """Make supabase-py clients."""
    async with contextlib.AsyncExitStack() as clients:

        async def make(*args: Any, **options: Any) -> AsyncClient:
            client = await connect_as(*args, **options)
            clients.push_async_callback(close_client, client)
            return client

        yield make


@pytest.fixture
async def javascript() -> AsyncIterator[Callable[..., Awaitable[Puppet]]]:
    """Make supabase-js clients, each in a process of its own."""
    async with contextlib.AsyncExitStack() as puppets:

        async def make(*args: Any, **options: Any) -> Puppet:
            puppet = await Puppet.start(*args, **options)
            puppets.push_async_callback(puppet.close)
            return puppet

        yield make
