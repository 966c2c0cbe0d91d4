"""One PostgreSQL per session, one template per schema variant, and clients that are closed after each test."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from clients import GRANTS, QUICK, Puppet, close_client, connect_as, create_viewer, execute

from devstack.baseline import Variant, apply_baseline
from devstack.postgres import SUPERUSER, PostgresCluster
from devstack.stack import Stack, Tuning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from supabase import AsyncClient


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    with PostgresCluster.start(tmp_path_factory.mktemp("cluster") / "data", ephemeral=True) as running:
        yield running


@pytest.fixture(scope="session")
def make_database(cluster: PostgresCluster) -> Callable[[Variant], str]:
    """Clone a database with the existing schema and its demonstration rows."""
    templates: set[str] = set()

    def make(variant: Variant = "head") -> str:
        template = f"template_{variant}"
        if template not in templates:
            with psycopg.connect(cluster.dsn("postgres", SUPERUSER), autocommit=True) as connection:
                connection.execute(f"create database {template}".encode())
            apply_baseline(cluster.dsn(template, SUPERUSER), variant, demo=True)
            templates.add(template)
        name = f"test_{uuid.uuid4().hex[:12]}"
        cluster.clone(template, name)
        return name

    return make


@pytest.fixture(scope="session")
def open_stack(
    cluster: PostgresCluster, make_database: Callable[[Variant], str]
) -> Callable[..., contextlib.AbstractContextManager[Stack]]:
    """Open a project of one's own on a fresh database."""

    @contextlib.contextmanager
    def open_one(variant: Variant = "head", tuning: Tuning = QUICK, *, grants: bool = True) -> Iterator[Stack]:
        database = make_database(variant)
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
