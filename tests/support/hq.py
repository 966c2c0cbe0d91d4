"""The HQ with everything real: a cloned database behind PostgREST and Realtime, vendors to ask, workers to hurt.

Tests ask for runs and await what becomes of them; a test that waits in vain prints what the database and the workers
had to say.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

import httpx
import psycopg
from postgrest import APIResponse
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth import AsyncMemoryStorage

from devstack import ways
from devstack.processes import ServiceError
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack, Tuning
from devstack.vendors import VendorsClient
from support.database import Connection, Database, Row, rows
from support.plan import wind_ahead
from support.worker import POLL_SECONDS, PROJECT, Worker
from workers.settings import PLATFORM_SITES

# Realtime as quick as it can be; tests of its real pace say so.
QUICK = Tuning(realtime=ways.QUICK)

# What production waits for in tens of seconds. The proportions are those of production.
SHORT = {
    "LEASE_SECONDS": 2,
    "LEASE_RENEW_SECONDS": 0.5,
    "CANCEL_POLL_SECONDS": 0.5,
    "SWEEP_SECONDS": 0.5,
    "SHUTDOWN_GRACE_SECONDS": 5,
    "RETRY_BASE_SECONDS": 0.2,
    "RETRY_CAP_SECONDS": 0.5,
    "LLM_RETRY_BUDGET_SECONDS": 0.1,
    "LLM_MAX_CALLS": 2,
    "LLM_BREAKER_FAILURES": 100,
    # Only a test that says so has the autopilot look by itself.
    "AUTOPILOT_SECONDS": 86_400,
    # What nobody asks for comes when a test says so.
    "PLATFORM_CHECK_SECONDS": 86_400,
    "STRIPE_READ_SECONDS": 86_400,
}

# Asks the database, GitHub, and the model: the commonest kind of run.
RUN_TYPE = "PLATFORM_STATUS_REVIEW"

_DATABASE_SECONDS = 30


@dataclass(frozen=True)
class Service:
    """A worker that is also asked by HTTP."""

    worker: Worker
    url: str

    async def post(
        self, name: str, body: object = None, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Call a function as a page does; no body is sent where there is none."""
        sent = {"authorization": f"Bearer {token}"} if token else {}
        content = b"" if body is None else json.dumps(body)
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.post(f"{self.url}/{name}", content=content, headers=sent | dict(headers or {}))

    async def get(self, name: str) -> httpx.Response:
        """Read what a function answers to anybody."""
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.get(f"{self.url}/{name}")


class Hq:
    """A running project with its vendors and its workers."""

    def __init__(self, stack: Stack, database: Database, vendors: VendorsClient, folder: Path) -> None:
        self.stack = stack
        self.database = database
        self.vendors = vendors
        self.folder = folder
        self.workers: list[Worker] = []
        self._session: Connection | None = None

    # ── Workers ──────────────────────────────────────────────────────────────────────────────

    def environment(self, **settings: object) -> dict[str, str]:
        """Make a worker's environment: this project, these vendors, short delays, and what the test wants."""
        own = {
            "SUPABASE_URL": self.stack.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.stack.service_role_key,
            "LLM_BASE_URL": f"{self.vendors.base_url}/openai/v1",
            "LOVABLE_API_KEY": "a-key-of-the-stand-in",
            "GITHUB_API_URL": f"{self.vendors.base_url}/github",
            "GITHUB_TOKEN": "a-token-of-the-stand-in",
            "STRIPE_API_URL": f"{self.vendors.base_url}/stripe",
            "STRIPE_SECRET_KEY": "rk_a-key-of-the-stand-in",
            "PLATFORM_URLS": ",".join(f"{key}={self.vendors.base_url}/sites/{key}" for key in PLATFORM_SITES),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}",
        }
        return own | {name: str(value) for name, value in (SHORT | settings).items()}

    def start_worker(self, *, module: str = "workers.cli", fresh: bool = False, **settings: object) -> Worker:
        """Start a worker and do not wait for it."""
        return self._start(self.environment(**settings), module=module, fresh=fresh)

    def _start(self, environment: dict[str, str], *, module: str = "workers.cli", fresh: bool = False) -> Worker:
        worker = Worker(f"worker-{len(self.workers) + 1}", environment, self.folder, module=module, fresh=fresh)
        self.workers.append(worker)
        return worker

    async def service(self, **settings: object) -> "Service":
        """Start a worker with its HTTP face and wait until it listens."""
        environment = self.environment(**{"HTTP_HOST": "127.0.0.1", "PORT": 0} | settings)
        worker = Worker(f"worker-{len(self.workers) + 1}", environment, self.folder, command="serve")
        self.workers.append(worker)
        port = (await worker.logged("http.listening"))["port"]
        return Service(worker, f"http://127.0.0.1:{port}/functions/v1")

    async def worker(
        self,
        shared: Mapping[str, object] | None = None,
        /,
        *,
        live: bool = False,
        within: float = 15,
        **settings: object,
    ) -> Worker:
        """Start a worker and wait until it takes work; ``live``: until Realtime wakes it."""
        worker = self._start(self.environment(**{**(shared or {}), **settings}))
        await worker.logged("worker.started", within=within)
        if live:
            await worker.logged("realtime.subscribed")
        return worker

    # ── Runs ─────────────────────────────────────────────────────────────────────────────────

    def ask(self, run_type: str = RUN_TYPE, **request: object) -> UUID:
        """Ask for a run, as SQL may; every one is a run of its own unless the test says otherwise."""
        request = {"p_run_type": run_type, "p_force": True} | {f"p_{name}": value for name, value in request.items()}
        given = ", ".join(f"{name} => %s" for name in request)
        return cast("UUID", self.one(f"select run_id from public.request_hq_run({given})", *request.values())["run_id"])

    def run(self, run_id: UUID) -> Row:
        """Read the row of a run."""
        return self.one("select * from hq.runs where id = %s", run_id)

    def steps(self, run_id: UUID) -> list[Row]:
        return self.rows("select * from hq.run_steps where run_id = %s order by step_order", run_id)

    def logs(self, run_id: UUID) -> list[str]:
        """Tell the story of a run by the events in the journal."""
        reported = self.rows("select message from hq.structured_logs where run_id = %s order by created_at", run_id)
        return [line["message"] for line in reported]

    async def settled(self, run_id: UUID, *, within: float = 15) -> Row:
        """Wait until a run has ended; return its row."""
        return await self.became(run_id, "completed", "failed", "cancelled", within=within)

    async def became(self, run_id: UUID, *statuses: str, within: float = 15) -> Row:
        """Wait until a run has one of these states; return its row."""
        query = "select * from hq.runs where id = %s and status::text = any(%s)"
        return (await self.until(query, run_id, list(statuses), within=within))[0]

    async def until(self, query: str, *params: object, within: float = 15) -> list[Row]:
        """Wait until a query has rows; return them."""
        deadline = time.monotonic() + within
        while not (found := self.rows(query, *params)):
            if time.monotonic() > deadline:
                raise AssertionError(f"No row in {within} s: {query} {params}\n{self.explain()}")
            await asyncio.sleep(POLL_SECONDS)
        return found

    async def model_calls(self) -> int:
        return len(await self.vendors.calls("openai"))

    # ── The database, also across its restarts ───────────────────────────────────────────────

    def rows(self, query: str, *params: object) -> list[Row]:
        """Run a query as role postgres; while the server restarts, or somebody holds a lock, again."""
        deadline = time.monotonic() + _DATABASE_SECONDS
        while True:
            try:
                if self._session is None or self._session.closed:
                    self._session = self.database.connect()
                return rows(self._session, query, *params)
            except psycopg.OperationalError:
                if self._session is not None:
                    self._session.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def one(self, query: str, *params: object) -> Row:
        (row,) = self.rows(query, *params)
        return row

    def explain(self) -> str:
        """Tell what there is to see, for the message of a failed test."""
        reported = self.rows(
            "select r.id, r.status, r.started_at, q.attempt, q.lease_token, q.worker_id, q.leased_until, q.run_at "
            "from hq.runs as r left join hq.run_queue as q on q.run_id = r.id "
            "order by (r.status in ('pending', 'running')) desc, r.created_at limit 10"
        )
        lines = [" ".join(f"{name}={value}" for name, value in row.items() if value is not None) for row in reported]
        return "\n".join([f"── hq.runs at {time.strftime('%H:%M:%S')}", *lines, *(w.tail() for w in self.workers)])

    def close(self) -> None:
        for worker in self.workers:
            if worker.is_alive:
                worker.signal(signal.SIGCONT)
                worker.kill()
        if self._session is not None:
            self._session.close()


@asynccontextmanager
async def open_hq(database: Database, folder: Path, tuning: Tuning = QUICK) -> AsyncIterator[Hq]:
    """Start services and vendors on a database; end them, and every worker, afterwards."""
    wind_ahead(database)
    with _start_stack(database, tuning) as stack:
        assert stack.vendors_url is not None
        async with VendorsClient(stack.vendors_url) as vendors:
            hq = Hq(stack, database, vendors, folder)
            try:
                yield hq
            finally:
                hq.close()


def _start_stack(database: Database, tuning: Tuning) -> Stack:
    """Start the services; on other ports if another test run on this machine was faster to take one."""
    for _ in range(3):
        try:
            return Stack.start(cluster=database.cluster, database=database.name, port=None, tuning=tuning, vendors=True)
        except ServiceError as error:
            if "in use" not in str(error):
                raise
    raise AssertionError("three times in a row, a free port was taken before it could be used")


def read_rows(response: APIResponse) -> list[Row]:
    """Take the rows out of an answer of PostgREST."""
    assert isinstance(response.data, list)
    return [dict(row) for row in response.data if isinstance(row, dict)]


@asynccontextmanager
async def signed_in(hq: Hq) -> AsyncIterator[AsyncClient]:
    """Be the president in front of her screens: the page's key, and the owner's session."""
    # An HTTP client of our own, because the library drops its inner ones unclosed when somebody signs in.
    async with httpx.AsyncClient() as http:
        options = AsyncClientOptions(httpx_client=http, storage=AsyncMemoryStorage(), auto_refresh_token=False)
        client = await acreate_client(hq.stack.url, hq.stack.anon_key, options)
        await client.auth.sign_in_with_password({"email": OWNER_EMAIL, "password": OWNER_PASSWORD})
        try:
            yield client
        finally:
            await client.remove_all_channels()
            await client.realtime.close()
