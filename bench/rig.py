"""The rig: a stack with our part installed, its vendors, and workers in this process or beside it."""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import HttpUrl, SecretStr
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from devstack.stack import Stack, Tuning
from devstack.vendors import VendorsClient
from devstack.worker import start_worker
from workers import schema
from workers.backend.announcements import open_announcer
from workers.backend.client import open_client
from workers.backend.runs import SupabaseRunStore
from workers.backend.wakeups import RealtimeWakeups
from workers.clock import SystemClock
from workers.ports import RunExecutor, Wakeups
from workers.runtime.worker import Worker
from workers.settings import RealtimeSettings, SupabaseSettings, WorkerSettings

PATIENCE = timedelta(minutes=5)
# Without its key, a vendor is not called.
NO_VENDOR = dict.fromkeys(("GITHUB_TOKEN", "PERPLEXITY_API_KEY", "FIRECRAWL_API_KEY", "STRIPE_SECRET_KEY"), "")


class Rig:
    """A running HQ, and how to query it."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self._folder = folder
        self._processes: list[Popen[bytes]] = []
        self.reconnect()
        self.vendors = VendorsClient(stack.vendors_url or "")

    def reconnect(self) -> None:
        """Open the session, or another one where the server was away."""
        self.sql = psycopg.connect(self.stack.database_url, autocommit=True, row_factory=dict_row)

    @property
    def supabase(self) -> SupabaseSettings:
        """Where a worker finds this HQ."""
        return SupabaseSettings(url=HttpUrl(self.stack.url), service_key=SecretStr(self.stack.secret_key))

    def rows(self, query: str, *params: object) -> list[dict[str, Any]]:
        """Run a query as an operator."""
        return self.sql.execute(query.encode(), params or None).fetchall()

    def number(self, query: str, *params: object) -> float:
        """Run a query that answers one number."""
        ((value,),) = (row.values() for row in self.rows(query, *params))
        return float(value)

    def queue_runs(self, count: int, run_type: str = "CODE_REVIEW") -> None:
        """Request so many runs at once."""
        self.rows(
            "select count(r.run_id) from generate_series(1, %s) as n, lateral (select run_id from "
            "public.request_hq_run(%s, 'emotionscare', jsonb_build_object('n', n), p_force => true)) as r",
            count,
            run_type,
        )

    # A worker may be looking at the same tables in another order.
    @retry(retry=retry_if_exception_type(psycopg.errors.DeadlockDetected), stop=stop_after_attempt(6), reraise=True)
    def empty(self) -> None:
        """Forget all runs."""
        self.sql.execute("truncate hq.runs, hq.structured_logs, hq.audit_logs cascade")

    async def until(self, query: str, *params: object) -> None:
        """Wait until a query answers a number that is not zero."""
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not self.number(query, *params):
                await asyncio.sleep(0.02)

    def start_worker(self, *, command: str = "work", module: str = "workers", **settings: str) -> "Popen[bytes]":
        """Start a worker as it runs in production."""
        log = self.log_of(len(self._processes) + 1)
        self._processes.append(start_worker(self.stack, log, settings, command=command, module=module))
        return self._processes[-1]

    async def start_service(self, **settings: str) -> "tuple[Popen[bytes], str]":
        """Start a worker with its HTTP API; return it and its address."""
        log = self.log_of(len(self._processes) + 1)
        given = {"HTTP_HOST": "127.0.0.1", "PORT": "0"} | settings
        process = start_worker(self.stack, log, given, command="serve")
        self._processes.append(process)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not (found := re.search(r'"port": (\d+), "event": "http.listening"', log.read_text())):
                await asyncio.sleep(0.02)
        return process, f"http://127.0.0.1:{found[1]}/functions/v1"

    def make_owners(self, count: int) -> list[str]:
        """Make so many owners; return a token of each."""
        rows = self.rows(
            "with made as ("
            "insert into auth.users (id, email) select gen_random_uuid(), gen_random_uuid() || '@bench.test'"
            " from generate_series(1, %s) as n returning id)"
            " insert into public.user_roles (user_id, role) select id, 'owner' from made returning user_id",
            count,
        )
        return [self.stack.mint_token(sub=str(row["user_id"])) for row in rows]

    def lift_limits(self, platforms: int) -> None:
        """Lift the limit of requests per person, and add so many platforms."""
        (limit,) = self.rows("select pg_get_functiondef('hq.check_request_limit'::regproc) as text")
        lifted = str(limit["text"]).replace("30 <=", "1000000 <=")
        if lifted == limit["text"]:
            raise LookupError("hq.check_request_limit does not say 30 <= any more: the limit would be measured")
        self.sql.execute(lifted.encode())
        self.rows(
            "insert into hq.platforms (key, name, status) select 'bench-' || n, 'Bench ' || n, 'green'"
            " from generate_series(1, %s) as n returning 1",
            platforms,
        )

    def close(self) -> None:
        """Stop what was started: a worker that is left behind would try to reach its stack for ever."""
        for process in self._processes:
            process.kill()
            process.wait()
        self.sql.close()

    def log_of(self, number: int) -> Path:
        """Return the log of the n-th worker."""
        return self._folder / f"worker-{number}.log"


@contextlib.contextmanager
def open_rig(*, tuning: Tuning | None = None, data_dir: Path | None = None) -> Iterator[Rig]:
    """Start a stack with durable settings off, as the tests do: figures are of our code, not of the disk.

    Without `data_dir` nothing outlives it; with one, what an earlier rig left there is found again.
    """
    with (
        tempfile.TemporaryDirectory(prefix="emocare-bench-") as folder,
        Stack.start(port=None, vendors=True, tuning=tuning, data_dir=data_dir) as stack,
    ):
        schema.apply(stack.database_url)
        rig = Rig(stack, Path(folder))
        try:
            yield rig
        finally:
            rig.close()


@contextlib.asynccontextmanager
async def open_worker(
    rig: Rig, execute: RunExecutor, *, settings: WorkerSettings, wakeups: Wakeups | None = None
) -> AsyncIterator[Worker]:
    """Run a worker in this process with another executor, until the block ends."""
    clock = SystemClock()
    stop = asyncio.Event()
    async with (
        open_client(rig.supabase) as client,
        open_announcer(rig.supabase, client, clock=clock, look_every=settings.sweep_every) as announcer,
    ):
        store = SupabaseRunStore(client, worker_id="bench", settings=settings, clock=clock)
        worker = Worker(
            store=store,
            execute=execute,
            wakeups=wakeups or RealtimeWakeups(rig.supabase, RealtimeSettings(), worker_id="bench", clock=clock),
            announcer=announcer,
            clock=clock,
            settings=settings,
            worker_id="bench",
        )
        working = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await working


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
