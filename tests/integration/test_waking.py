"""What wakes a worker: Realtime at once, and the sweep where Realtime is dead."""

import time

import pytest
from support.hq import Hq


async def test_an_inserted_row_is_claimed_by_realtime_long_before_the_sweep(hq: Hq) -> None:
    worker = await hq.worker(live=True, SWEEP_SECONDS=30)

    for _ in range(3):
        run_id = hq.one("insert into hq.runs (run_type) values ('PLATFORM_STATUS_REVIEW') returning id")["id"]
        run = await hq.settled(run_id, within=5)
        assert (run["started_at"] - run["created_at"]).total_seconds() < 1, worker.tail()


@pytest.mark.parametrize("strict", [False, True])
async def test_a_newer_key_wakes_as_the_older_one_does(hq: Hq, strict: bool) -> None:  # noqa: FBT001 - a parameter
    if strict:
        hq.stack.gateway.refuse_bearer_keys()
        hq.stack.realtime.tune(keys_as_tokens=False)
    await hq.worker(live=True, SWEEP_SECONDS=30, SUPABASE_SERVICE_ROLE_KEY=hq.stack.secret_key)

    assert (await hq.settled(hq.ask(), within=5))["status"] == "completed"


async def test_with_realtime_dead_a_row_is_claimed_within_the_sweep(hq: Hq) -> None:
    hq.stack.kill_realtime()
    worker = await hq.worker(SWEEP_SECONDS=1)
    await worker.logged("realtime.lost")

    for _ in range(3):
        run = await hq.settled(hq.ask())
        assert (run["started_at"] - run["created_at"]).total_seconds() < 2.5, worker.tail()


async def test_the_heartbeat_tells_whether_realtime_wakes_the_worker(hq: Hq) -> None:
    worker = await hq.worker(live=True, LEASE_SECONDS=60, LEASE_RENEW_SECONDS=30)
    await hq.until("select from hq.worker_heartbeats where realtime = 'live'", within=2)

    hq.stack.kill_realtime()
    await hq.until("select from hq.worker_heartbeats where realtime = 'degraded (polling)'", within=2)

    hq.stack.start_realtime()
    await worker.logged("realtime.subscribed", times=2)
    await hq.until("select from hq.worker_heartbeats where realtime = 'live'", within=2)


@pytest.mark.parametrize("harm", ["cut", "close 1000", "close 1001", "restart"])
async def test_a_lost_subscription_comes_back_by_itself(hq: Hq, harm: str) -> None:
    worker = await hq.worker(live=True, SWEEP_SECONDS=30)

    match harm.split():
        case ["cut"]:
            hq.stack.realtime.cut_sockets()
        case ["close", code]:
            hq.stack.realtime.close_sockets(int(code))
        case _:
            hq.stack.restart_realtime()
    returned = time.monotonic()
    during = hq.ask()
    await worker.logged("realtime.subscribed", times=2)
    assert time.monotonic() - returned < 5

    for run_id in (during, hq.ask()):
        run = await hq.settled(run_id, within=5)
        assert (run["started_at"] - run["created_at"]).total_seconds() < 5


async def test_rows_inserted_before_anybody_listens_are_claimed_at_the_start(hq: Hq) -> None:
    before = [hq.ask() for _ in range(3)]

    await hq.worker(SWEEP_SECONDS=30)

    for run_id in before:
        assert (await hq.settled(run_id, within=5))["status"] == "completed"
