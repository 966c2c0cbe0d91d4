"""The real relay, under the real Deno, in front of servers that do as told."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from support.database import Database
from support.plan import wind_ahead
from support.running_relay import Relay, StartRelay
from support.scripted_server import ScriptedServer

from devstack.functions import start_functions
from devstack.postgres import PostgresCluster
from devstack.processes import Processes, choose_port
from devstack.stack import Stack


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedServer]:
    """The workers."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def supabase() -> AsyncIterator[ScriptedServer]:
    """What the relay asks when the workers are silent."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def start_relay(upstream: ScriptedServer, supabase: ScriptedServer, tmp_path: Path) -> AsyncIterator[StartRelay]:
    """Start a relay with settings of its own; browsers are not held back unless the test says so."""
    processes = Processes(tmp_path)
    async with AsyncExitStack() as clients:

        def start(wall_clock_seconds: float | None = None, **settings: object) -> Relay:
            port = choose_port()
            addresses = {"workers_url": upstream.url, "supabase_url": supabase.url, "anon_key": "the-anon-key"}
            addresses |= {name: str(settings.pop(name)) for name in addresses if name in settings}
            given = {"RELAY_MIN_MS": 0} | settings
            secrets = {name: str(value) for name, value in given.items() if value is not None}
            start_functions(processes, port=port, **addresses, settings=secrets, wall_clock_seconds=wall_clock_seconds)
            client = Relay(port, tmp_path / "functions.log")
            clients.push_async_callback(client.aclose)
            return client

        yield start
    processes.close()


@pytest.fixture
def relay(start_relay: StartRelay) -> Relay:
    """A relay with the usual settings."""
    return start_relay()


@pytest.fixture(scope="module")
def project(cluster: PostgresCluster) -> Iterator[Stack]:
    """A real project with our part installed."""
    database = f"project_{uuid.uuid4().hex[:12]}"
    cluster.clone("head_hq", database)
    with closing(Database(cluster, database)) as hq:
        wind_ahead(hq)
    with Stack.start(cluster=cluster, database=database, port=None) as stack:
        yield stack
    cluster.drop(database)
