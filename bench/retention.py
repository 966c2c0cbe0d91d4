"""Retention on a large table: what a purge costs those who write and read meanwhile."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench.figures import Figure, format_ms
from bench.rig import Rig, open_rig

_ROWS = int(os.environ.get("BENCH_LOGS", "5000000"))
_EXPIRED = _ROWS // 5
_OWNER = "00000000-0000-4000-8000-000000000001"
_FILTERS = ((None, None), ("error", None), ("info", None), (None, "system"), ("warn", "edge_function"))


async def retention() -> list[Figure]:
    """Purge a fifth of the logs while others write a hundred a second; then look at the viewer and at the bloat."""
    with open_rig() as rig:
        await asyncio.to_thread(_fill, rig)
        before = _size_mb(rig)
        viewing = _view(rig)
        with _writing(rig) as waits:
            batches = await asyncio.to_thread(_purge_some, rig)
            started = time.monotonic()
            calls = await asyncio.to_thread(_purge, rig)
            took = time.monotonic() - started
        left = rig.number("select count(*) from hq.structured_logs where created_at < now() - interval '30 days'")
        await rig.until(
            "select (n_dead_tup < 0.05 * n_live_tup)::int from pg_stat_user_tables where relname = 'structured_logs'"
        )
        await asyncio.to_thread(_write, rig, _EXPIRED, "0 days")
        after = _size_mb(rig)
    assert left == 0
    return [
        Figure(
            f"purge of {_EXPIRED:,} of {_ROWS:,} logs",
            f"each batch {format_ms(batches)}",
            "≤ 1 s each",
            f"2000 rows each, committed; {calls} call(s) of the procedure took {took:.0f} s for the rest",
        ),
        Figure("writing a log meanwhile", format_ms(waits), "≤ 100 ms", "100 a second"),
        Figure(
            "table and indexes before → after the purge and as many new logs",
            f"{before:.0f} → {after:.0f} MB",
            "bounded",
            "autovacuum at 2 %",
        ),
        Figure(f"viewer's list, {len(_FILTERS)} filters, {_ROWS:,} logs", format_ms(viewing), "-"),
    ]


def _fill(rig: Rig) -> None:
    _write(rig, _ROWS - _EXPIRED, "0 days")
    _write(rig, _EXPIRED, "30 days 1 hour")
    rig.sql.execute("vacuum analyze hq.structured_logs")


def _write(rig: Rig, count: int, age: str) -> None:
    rig.sql.execute(
        "insert into hq.structured_logs (level, source, message, metadata, created_at)"
        " select case when n %% 100 = 0 then 'error' when n %% 10 = 0 then 'warn' else 'info' end,"
        " case when n %% 2 = 0 then 'edge_function' else 'system' end, 'run.completed',"
        " jsonb_build_object('run_type', 'SEO_AUDIT', 'attempt', 1, 'model_used', 'google/gemini-2.5-flash', 'n', n),"
        " now() - %s::interval - n * interval '0.4 seconds' from generate_series(1, %s) as n",
        [age, count],
    )


def _purge_some(rig: Rig) -> list[float]:
    """Delete the first half of the expired batch by batch, as the procedure does; return how long each took."""
    took: list[float] = []
    reached = "-infinity"
    for _ in range(max(1, _EXPIRED // 2 // 2000)):
        started = time.monotonic()
        (batch,) = rig.rows(
            "select reached::text from hq.purge_logs('info', %s, now() - interval '30 days', 2000)", reached
        )
        took.append(time.monotonic() - started)
        reached = batch["reached"]
    return took


def _purge(rig: Rig) -> int:
    """Call the procedure as pg_cron does, until nothing is left."""
    for call in range(1, 50):
        rig.sql.execute("call hq.purge_expired()")
        if not rig.number(
            "select count(*) from (select from hq.structured_logs"
            " where created_at < now() - interval '30 days 10 minutes' limit 1) as old"
        ):
            return call
    raise AssertionError("fifty calls did not purge everything")


@contextmanager
def _writing(rig: Rig) -> Iterator[list[float]]:
    """Write a hundred logs a second; yield how long each took."""
    took: list[float] = []
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(rig.stack.database_url, autocommit=True) as session:
            while not stop.wait(0.01):
                started = time.monotonic()
                session.execute("select public.insert_hq_log('info', 'system', 'meanwhile', '{}', null)")
                took.append(time.monotonic() - started)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield took
    finally:
        stop.set()
        writer.join()


def _view(rig: Rig) -> list[float]:
    """Ask for the viewer's list, each filter ten times, as the owner."""
    took: list[float] = []
    with psycopg.connect(rig.stack.database_url, autocommit=True) as session:
        session.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps({"sub": _OWNER})])
        for level, source in _FILTERS * 10:
            started = time.monotonic()
            session.execute("select * from public.get_hq_logs(50, %s, %s)", [level, source]).fetchall()
            took.append(time.monotonic() - started)
    return took


def _size_mb(rig: Rig) -> float:
    return rig.number("select pg_total_relation_size('hq.structured_logs')") / 1024 / 1024
