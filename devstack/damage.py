"""What happens to a project in its worse hours, for benchmarks and tests: each lasts so long, and then it is over.

Each blocks: call it in a thread.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

import psycopg
from psycopg import sql

from devstack.network import CLEAR, Network, NetworkConditions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.stack import Stack

_TIMES: Final = 3
_CONDITIONS: Final = (
    NetworkConditions(is_cut=True),
    NetworkConditions(delay_seconds=0.3),
    NetworkConditions(bytes_per_second=4_000),
    NetworkConditions(is_silent=True),
)
# What a claim, a checkpoint and a settlement write, one after the other; modes that stop writers, then everybody.
_TABLES: Final = ("runs", "run_queue", "run_steps", "run_evidence", "run_costs", "structured_logs", "worker_heartbeats")
_MODES: Final = ("share row exclusive", "access exclusive")
LOCKS: Final[tuple[sql.SQL | sql.Composed, ...]] = (
    sql.SQL("select from hq.run_queue for update"),
    *(
        sql.SQL("lock table {} in {} mode").format(sql.Identifier("hq", table), sql.SQL(mode))
        for mode in _MODES
        for table in _TABLES
    ),
)
_LONG: Final = "select count(*) from generate_series(1, 3000000) as n where md5(n::text) < 'a'"


def restart_postgres(stack: Stack, seconds: float) -> None:
    """Stop PostgreSQL at once, in the middle of everything, and start it again; three times, away for half of it."""
    pause = seconds / (2 * _TIMES)
    for place in range(_TIMES):
        time.sleep(pause if place else 0)
        stack.cluster.restart("immediate", away_seconds=pause)


def restart_postgrest(stack: Stack, seconds: float) -> None:
    """Stop PostgREST and start it again; three times, away for half of it."""
    pause = seconds / (2 * _TIMES)
    for place in range(_TIMES):
        time.sleep(pause if place else 0)
        stack.stop_postgrest()
        time.sleep(pause)
        stack.start_postgrest()


def harm_network(network: Network, seconds: float) -> None:
    """Cut the network, slow it, let it trickle, let it hang; a quarter of the time each."""
    for conditions in _CONDITIONS:
        network.apply(conditions)
        time.sleep(seconds / len(_CONDITIONS))
    network.apply(CLEAR)


@contextlib.contextmanager
def hold_snapshot(stack: Stack) -> Iterator[None]:
    """Hold an old snapshot until the block ends, as a forgotten transaction does: no dead row of any table goes.

    It is taken from a catalogue: a session that has read a table of ours keeps everybody else from locking it.
    """
    with psycopg.connect(stack.database_url) as forgotten:
        forgotten.execute("set transaction isolation level repeatable read")
        forgotten.execute("select from pg_class limit 1")
        yield
        forgotten.rollback()


def stress_postgres(stack: Stack, seconds: float) -> int:
    """Hold an old snapshot, lock one table after the other and the queue's rows, and let long statements run.

    Returns how many of the `LOCKS` were got; each is given up after two seconds of waiting.
    """
    stop = threading.Event()
    long = threading.Thread(target=_run_long_statements, args=(stack, stop), name="long statements")
    with hold_snapshot(stack), psycopg.connect(stack.database_url) as holder:
        long.start()
        try:
            return _hold_locks(holder, seconds)
        finally:
            stop.set()
            long.join()


def _hold_locks(session: psycopg.Connection, seconds: float) -> int:
    ends = time.monotonic()
    got = 0
    for lock in LOCKS:
        ends += seconds / len(LOCKS)
        # Who waits for one of ours while we wait for one of his is not what is asked: he would be the one to give in.
        with contextlib.suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            session.execute("set local lock_timeout = '2s'")
            session.execute(lock)
            got += 1
        time.sleep(max(0.0, ends - time.monotonic()))
        session.rollback()
    return got


def _run_long_statements(stack: Stack, stop: threading.Event) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as session:
        while not stop.is_set():
            session.execute(_LONG)
