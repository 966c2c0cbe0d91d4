"""A migration is for a project in use: nothing is lost, nobody waits long, and once more changes nothing."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from support.catalogue import describe
from support.database import OWNER, Connection, Database, one, rows
from support.hq import open_hq

from workers import schema

RecordFigure = Callable[[str, object], None]

REQUESTS_PER_SECOND = 50
CALLERS = 10
REQUESTS = 600
LONGEST_WAIT_SECONDS = 1

# What a project in its second year holds.
DATA = """
insert into hq.runs (run_type, status, platform_key, started_at, completed_at, executive_summary, created_at)
select 'SEO_AUDIT', 'completed', 'nearvity', t, t + interval '20 seconds', 'Bilan', t
from (select now() - n * interval '10 minutes' as t from generate_series(1, 20000) as n) as moments;
insert into hq.structured_logs (level, source, message, run_id, created_at)
select 'info', 'system', 'x', r.id, r.created_at from hq.runs as r cross join generate_series(1, 10);
insert into hq.audit_logs (actor_type, action) select 'owner', 'run.created' from generate_series(1, 5000);
"""
# All that migrations beyond the first release do to tables in use, to be done again.
LOOSEN = """
delete from hq.worker_migrations where kind = 'migration' and name >= '0004';
drop index if exists hq.structured_logs_created;
grant execute on function public.insert_hq_log to public, anon;
alter table hq.structured_logs reset (autovacuum_vacuum_scale_factor);
"""


class Waits:
    """The longest that anybody waited for a lock while somebody looked; the migration's own waits do not count."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.story = ""

    def look(self, session: Connection) -> None:
        found = one(
            session,
            """
            select
              coalesce(max(w.seconds), 0)::float as seconds,
              string_agg(format('%s s: %s, behind %s', w.seconds, w.query, w.holders), e'\\n') as story
            from (
              select
                extract(epoch from clock_timestamp() - l.waitstart) as seconds,
                left(a.query, 120) as query,
                (
                  select string_agg(left(h.query, 120), ' and ') from pg_stat_activity as h
                  where h.pid = any(pg_blocking_pids(a.pid))
                ) as holders
              from pg_locks as l
              join pg_stat_activity as a using (pid)
              where not l.granted and a.application_name <> 'emocare migrate'
            ) as w
            """,
        )
        if found["seconds"] > self.longest:
            self.longest, self.story = found["seconds"], found["story"]


@contextmanager
def watched(database: Database) -> Iterator[Waits]:
    waits, stop = Waits(), threading.Event()

    def look() -> None:
        with database.connect("supabase_admin") as session:
            while not stop.wait(0.02):
                waits.look(session)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


@contextmanager
def screens_in_use(database: Database) -> Iterator[list[float]]:
    """Let pages read, and older code write, fifty times a second; yield how long each took."""
    took: list[float] = []
    stop = threading.Event()

    def use() -> None:
        with database.connect() as session, database.as_caller("authenticated", OWNER) as owner:
            while not stop.wait(1 / REQUESTS_PER_SECOND):
                started = time.monotonic()
                session.execute("insert into hq.runs (run_type, status) values ('IN_USE', 'completed')")
                session.execute("select public.insert_hq_log('info', 'system', 'in use')")
                rows(owner, "select id from public.get_hq_recent_runs(10)")
                took.append(time.monotonic() - started)

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield took
    finally:
        stop.set()
        thread.join()


@dataclass
class Requests:
    """Requests for runs as PostgREST lets them in, fifty a second from ten callers."""

    database: Database
    runs: list[UUID] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def make(self) -> None:
        """Make them all; who is refused asks again, as any caller does."""
        with ThreadPoolExecutor(CALLERS) as callers:
            for made in [callers.submit(self._ask) for _ in range(CALLERS)]:
                made.result()

    def _ask(self) -> None:
        query = "select run_id from public.request_hq_run('REVENUE_FORECAST', p_force => true)"
        with self.database.as_caller("service_role") as service:
            began = time.monotonic()
            for number in range(1, REQUESTS // CALLERS + 1):
                try:
                    self.runs.append(one(service, query)["run_id"])
                except psycopg.errors.DatabaseError as refused:
                    self.refusals.append(str(refused))
                    self.runs.append(one(service, query)["run_id"])
                time.sleep(max(0.0, began + number * CALLERS / REQUESTS_PER_SECOND - time.monotonic()))


def _kept(database: Database) -> dict[str, int]:
    """Count what was there before anybody came."""
    queries = {
        "runs": "select count(*) as n from hq.runs where run_type = 'SEO_AUDIT'",
        "logs": "select count(*) as n from hq.structured_logs where message = 'x'",
        "audit": "select count(*) as n from hq.audit_logs where action = 'run.created' and actor_id is null",
    }
    return {name: database.one(query)["n"] for name, query in queries.items()}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("variant", ["seed", "head"])
async def test_a_migration_holds_nobody_up_and_loses_nothing(
    variant: str, clone: Callable[[str], Database], tmp_path: Path, record_figure: RecordFigure
) -> None:
    database = clone(variant)
    database.sql.execute(DATA.encode())
    before = _kept(database)

    with watched(database) as waits, screens_in_use(database) as took:
        await asyncio.to_thread(schema.apply, database.url)
    record_figure(
        "installation", f"{len(took)} uses, slowest {max(took):.3f} s, longest wait for a lock {waits.longest:.3f} s"
    )
    assert waits.longest < LONGEST_WAIT_SECONDS
    installed = describe(database)

    async with open_hq(database, tmp_path) as hq:
        for _ in range(4):
            await hq.worker(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10)
        longest: list[Waits] = []
        requests = Requests(database)
        made = asyncio.create_task(asyncio.to_thread(requests.make))
        while not made.done():
            await asyncio.to_thread(database.sql.execute, LOOSEN.encode())
            with watched(database) as waits:
                await asyncio.to_thread(schema.apply, database.url)
                await asyncio.sleep(0.5)
            longest.append(waits)
        await made
        runs = requests.runs
        waits = max(longest, key=lambda seen: seen.longest)
        for run_id in runs:
            await hq.settled(run_id, within=90)

    ends_logged = database.one(
        "select count(*) as logged, count(distinct run_id) as runs "
        "from hq.structured_logs where message = 'run.completed'"
    )
    record_figure(
        "in use",
        f"{len(runs)} requests, {len(requests.refusals)} refused once, {len(longest)} migrations, "
        f"longest wait for a lock {waits.longest:.3f} s",
    )
    assert len(set(runs)) == REQUESTS
    # A loaded machine may hold a lock for longer than a caller waits; never so long that most are refused.
    assert len(requests.refusals) <= REQUESTS // 20, requests.refusals[0]
    assert len(longest) > 1
    assert waits.longest < LONGEST_WAIT_SECONDS, waits.story
    assert ends_logged == {"logged": len(runs), "runs": len(runs)}
    assert _kept(database) == before
    assert describe(database) == installed
