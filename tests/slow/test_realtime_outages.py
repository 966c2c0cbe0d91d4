"""Realtime fails in every way it is known to: every run is claimed within five seconds, and the subscription returns.

Realtime has its real pace here: it reads the table one to three seconds after a join, as the hosted service does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
from support.database import Database
from support.hq import Hq, open_hq

from devstack.stack import Tuning

PACE = {"SWEEP_SECONDS": 3.5, "LEASE_SECONDS": 30, "LEASE_RENEW_SECONDS": 10, "CANCEL_POLL_SECONDS": 1.5}
REAL = Tuning()
# From the server's word that it reads the table; it says so up to three seconds after the join.
BACK_SECONDS = 5


@pytest.fixture
async def hq(database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path, REAL) as running:
        yield running


async def ask_for(hq: Hq, seconds: float, *, every: float = 0.5) -> list[UUID]:
    """Keep asking for runs."""
    asked: list[UUID] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        asked.append(hq.ask())
        await asyncio.sleep(every)
    return asked


async def claimed_in_time(hq: Hq, asked: list[UUID]) -> float:
    """Wait until all are done; return the longest time that one waited for its claim."""
    waits: list[float] = []
    for run_id in asked:
        run = await hq.settled(run_id)
        assert run["status"] == "completed"
        waits.append((run["started_at"] - run["created_at"]).total_seconds())
    assert max(waits) < 5, f"waits: {waits}\n{hq.explain()}"
    assert hq.one("select count(*) from hq.structured_logs where message = 'run.started'")["count"] == len(asked)
    return max(waits)


async def joined_again(hq: Hq, joins: int, *, within: float = BACK_SECONDS) -> float:
    """Wait until the worker has joined once more; return how long that took."""
    began = time.monotonic()
    while hq.stack.realtime.statistics()["joins"] <= joins:
        assert time.monotonic() < began + within, hq.explain()
        await asyncio.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.parametrize("harm", ["cut", "close 1000", "close 1001", "close 1011", "crash"])
async def test_a_lost_connection_comes_back_and_no_run_waits(
    hq: Hq, harm: str, record_figure: Callable[[str, object], None]
) -> None:
    worker = await hq.worker(PACE, live=True)
    joins = hq.stack.realtime.statistics()["joins"]

    if harm == "cut":
        hq.stack.realtime.cut_sockets()
    elif harm == "crash":
        hq.stack.kill_realtime()
        await worker.logged("realtime.lost")
        hq.stack.start_realtime()
        joins = 0  # its count starts again
    else:
        hq.stack.realtime.close_sockets(int(harm.split()[1]))
    asking = asyncio.create_task(ask_for(hq, 6))
    record_figure("joined again after", f"{await joined_again(hq, joins):.1f} s")
    await worker.logged("realtime.subscribed", times=2)

    record_figure("longest wait", f"{await claimed_in_time(hq, await asking):.1f} s")


async def test_a_whole_minute_of_refusals_is_outlived(hq: Hq, record_figure: Callable[[str, object], None]) -> None:
    worker = await hq.worker(PACE, live=True)
    joins = hq.stack.realtime.statistics()["joins"]

    hq.stack.realtime.refuse_sockets(90)  # longer than the asking takes on a busy machine; ended below
    hq.stack.realtime.cut_sockets()
    asked = await ask_for(hq, 60, every=3)
    assert hq.stack.realtime.statistics()["joins"] == joins
    hq.stack.realtime.refuse_sockets(0)  # the five seconds count from here, whatever the asking took
    took = await joined_again(hq, joins)
    await worker.logged("realtime.subscribed", times=2)
    asked += await ask_for(hq, 2)

    record_figure("joined again after", f"{took:.1f} s")
    record_figure("attempts during the minute", len(worker.events("realtime.lost")))
    record_figure("longest wait", f"{await claimed_in_time(hq, asked):.1f} s")
    assert hq.rows("select from hq.worker_heartbeats where realtime = 'live'") or worker.tail()


async def test_a_socket_that_hangs_is_noticed_and_replaced(
    hq: Hq, record_figure: Callable[[str, object], None]
) -> None:
    """Half open: neither data nor an end ever comes. Only the worker's own echo proves such a socket dead."""
    worker = await hq.worker(PACE, live=True)

    hq.stack.realtime.freeze_sockets(90)
    frozen = time.monotonic()
    asked = await ask_for(hq, 6, every=1)
    lost = await worker.logged("realtime.lost", within=45)
    noticed = time.monotonic() - frozen
    await worker.logged("realtime.subscribed", times=2)
    asked += await ask_for(hq, 2)

    assert lost["reason"] == "2 echoes missing"
    record_figure("noticed after", f"{noticed:.1f} s")
    record_figure("longest wait", f"{await claimed_in_time(hq, asked):.1f} s")
    assert noticed < 40


async def test_no_row_is_missed_before_and_while_the_subscription_comes_up(hq: Hq) -> None:
    """The server says SUBSCRIBED seconds before it reads the table; what is inserted meanwhile makes no event."""
    asked = [hq.ask(), hq.ask()]
    worker = await hq.worker(PACE, SWEEP_SECONDS=60)
    await joined_again(hq, 0)
    assert not worker.events("realtime.subscribed"), "too late to test anything"
    await hq.until("select from hq.runs where status = 'completed' offset 1")

    asked += [hq.ask() for _ in range(5)]

    await worker.logged("realtime.subscribed")
    await claimed_in_time(hq, asked)


async def test_two_idle_minutes_need_no_new_subscription(hq: Hq) -> None:
    worker = await hq.worker(PACE, live=True)
    before = hq.stack.realtime.statistics()

    await asyncio.sleep(120)  # the point of the test is that nothing happens

    after = hq.stack.realtime.statistics()
    assert (after["joins"], after["sockets"]) == (before["joins"], before["sockets"])
    assert after["broadcasts"] >= before["broadcasts"] + 4, "the worker's echoes"
    assert not worker.events("realtime.lost")
    run = await hq.settled(hq.ask())
    assert (run["started_at"] - run["created_at"]).total_seconds() < 1
