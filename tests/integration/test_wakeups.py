"""The watchdog of the Realtime subscription, in this process, where its inside can be seen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from realtime import AsyncRealtimeClient
from support.hq import RUN_TYPE, Hq

from devstack.ways import HOSTED
from workers.backend.wakeups import RealtimeWakeups, try_realtime
from workers.clock import SystemClock
from workers.ports import WakeupState
from workers.settings import RealtimeSettings, SupabaseSettings

SHORT = {
    "REALTIME_ECHO_SECONDS": 0.5,
    "REALTIME_RETRY_BASE_SECONDS": 0.05,
    "REALTIME_RETRY_CAP_SECONDS": 0.2,
    "REALTIME_SUBSCRIBE_SECONDS": 1,
}


class Listener:
    """Whoever wants to be woken: counts its calls, and raises when a test says so."""

    def __init__(self) -> None:
        self.looks = 0
        self.inserted: list[str] = []
        self.checks = 0
        self.error: Exception | None = None

    def look(self, run_id: str | None) -> None:
        self.looks += 1
        self.inserted += [run_id] if run_id else []
        if self.error is not None:
            raise self.error

    def check_leases(self) -> None:
        self.checks += 1


@asynccontextmanager
async def watching(
    hq: Hq, listener: Listener, *, key: str | None = None, **settings: float
) -> AsyncIterator[RealtimeWakeups]:
    wakeups = RealtimeWakeups(
        SupabaseSettings(SUPABASE_URL=hq.stack.url, SUPABASE_SERVICE_ROLE_KEY=key or hq.stack.service_role_key),
        RealtimeSettings.model_validate(SHORT | settings),
        worker_id="watcher",
        clock=SystemClock(),
    )
    watch = asyncio.create_task(wakeups.watch(look=listener.look, check_leases=listener.check_leases))
    try:
        yield wakeups
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def until(condition: Callable[[], object], within: float = 5) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what happens sets no event
            await asyncio.sleep(0.01)


async def is_live(wakeups: RealtimeWakeups) -> None:
    await until(lambda: wakeups.state is WakeupState.LIVE)


async def is_rebuilt(wakeups: RealtimeWakeups, times: int) -> None:
    await until(lambda: wakeups.rebuilds == times)


def insert(hq: Hq) -> None:
    hq.database.run("insert into hq.runs (run_type) values (%s)", RUN_TYPE)


async def test_a_pending_row_and_a_cancelled_one_call_for_what_they_need(hq: Hq) -> None:
    listener = Listener()
    async with watching(hq, listener) as wakeups:
        await is_live(wakeups)
        looks, checks = listener.looks, listener.checks

        insert(hq)
        await until(lambda: listener.looks == looks + 1)
        assert listener.checks == checks
        hq.database.run("update hq.runs set status = 'cancelled'")
        await until(lambda: listener.checks == checks + 1)
        hq.database.run("insert into hq.runs (run_type, status) values (%s, 'completed')", RUN_TYPE)
        hq.database.run("update hq.runs set status = 'pending' where status = 'cancelled'")
        await until(lambda: listener.looks == looks + 2)
        assert listener.checks == checks + 1
        pending = hq.one("select id from hq.runs where status = 'pending'")
        assert listener.inserted == [str(pending["id"])], "only an inserted row is named"


async def test_a_callback_that_raises_does_not_silence_the_next(hq: Hq) -> None:
    """In the client library, an exception ends the listener, and nobody is notified."""
    listener = Listener()
    async with watching(hq, listener, REALTIME_ECHO_SECONDS=60) as wakeups:
        await is_live(wakeups)
        listener.error = RuntimeError("a defect of ours")
        looks = listener.looks
        with structlog.testing.capture_logs() as logs:
            insert(hq)
            await until(lambda: listener.looks == looks + 1)
        listener.error = None

        insert(hq)
        await until(lambda: listener.looks == looks + 2)

    assert wakeups.rebuilds == 0
    assert [line["event"] for line in logs] == ["realtime.callback_failed"]


async def test_a_dead_listener_is_noticed_and_replaced(hq: Hq) -> None:
    """If something ends it all the same: the socket stays open, the state stays joined, and nothing comes."""
    listener = Listener()
    async with watching(hq, listener) as wakeups:
        await is_live(wakeups)
        (task,) = [task for task in asyncio.all_tasks() if "AsyncRealtimeClient._listen" in repr(task)]

        task.cancel()

        await until(lambda: wakeups.rebuilds == 1)
        await is_live(wakeups)
        looks = listener.looks
        insert(hq)
        await until(lambda: listener.looks == looks + 1)


async def test_a_token_that_expires_costs_hints_only_until_there_is_a_newer_one(
    hq: Hq, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer key is exchanged for a token at every join, and the server ends the channel when that one is over."""
    tokens = [hq.stack.mint_token("service_role", expires_in=seconds) for seconds in (2, -1, -1)]

    class Exchanging(AsyncRealtimeClient):
        def __init__(self, url: str, token: str, **options: Any) -> None:
            super().__init__(url, token, **options)
            self.access_token = tokens.pop(0) if tokens else token

    monkeypatch.setattr("workers.backend.wakeups.AsyncRealtimeClient", Exchanging)
    listener = Listener()

    with structlog.testing.capture_logs() as logs:
        async with watching(hq, listener) as wakeups:
            await is_live(wakeups)
            await until(lambda: wakeups.rebuilds == 3)
            await is_live(wakeups)
            looks = listener.looks
            insert(hq)
            await until(lambda: listener.looks == looks + 1)

    reasons = [line["reason"] for line in logs if line["event"] == "realtime.lost"]
    assert "expired" in reasons[0] or "CLOSED" in reasons[0]
    assert all("InvalidJWTToken" in reason for reason in reasons[1:])


async def test_a_table_that_is_not_published_is_never_taken_for_heard(hq: Hq) -> None:
    """The server says SUBSCRIBED first, and only then that it does not read the table."""
    hq.database.run("alter publication supabase_realtime drop table hq.runs")
    async with watching(hq, Listener()) as wakeups:
        await until(lambda: wakeups.rebuilds >= 3)
        assert wakeups.state is WakeupState.DEGRADED

        hq.database.run("alter publication supabase_realtime add table hq.runs")
        await is_live(wakeups)


async def test_a_table_that_is_read_again_is_looked_at(hq: Hq) -> None:
    """When PostgreSQL restarts, the socket may live on: what was inserted before the server reads again is silent."""
    listener = Listener()
    async with watching(hq, listener, REALTIME_ECHO_SECONDS=60) as wakeups:
        await is_live(wakeups)
        looks, checks = listener.looks, listener.checks

        await asyncio.to_thread(hq.database.cluster.restart, "fast")

        await until(lambda: listener.looks > looks and listener.checks > checks, within=15)
        hq.one("insert into hq.runs (run_type) values (%s) returning id", RUN_TYPE)
        looks = listener.looks
        await until(lambda: listener.looks > looks, within=15)


async def test_why_a_join_was_refused_is_known_although_the_answer_takes_five_seconds(hq: Hq) -> None:
    hq.stack.realtime.tune(public_access=False, refused_join_seconds=HOSTED.refused_join_seconds)
    with structlog.testing.capture_logs() as logs:
        async with watching(hq, Listener()) as wakeups:
            await until(lambda: wakeups.rebuilds == 1, within=10)

            assert wakeups.fault is not None
            assert wakeups.fault.code == "PrivateOnly"
            hq.stack.realtime.tune(public_access=True)
            await until(lambda: wakeups.state is WakeupState.LIVE, within=10)
            assert wakeups.fault is None

    (lost,) = [line for line in logs if line["event"] == "realtime.lost"]
    assert lost["fault"] == "PrivateOnly"
    assert "This project only allows private channels" in lost["reason"]


async def test_the_reason_of_a_refusal_is_in_the_heartbeat(hq: Hq) -> None:
    hq.stack.realtime.tune(public_access=False)

    await hq.worker()

    query = "select realtime_reason from hq.worker_heartbeats where realtime_fault = 'PrivateOnly'"
    (beat,) = await hq.until(query)
    assert "This project only allows private channels" in beat["realtime_reason"]


async def test_a_first_join_is_waited_for_as_long_as_a_project_may_need(hq: Hq) -> None:
    hq.stack.realtime.tune(first_join_seconds=10)
    async with watching(hq, Listener()) as wakeups:
        await until(lambda: wakeups.state is WakeupState.LIVE, within=20)

    assert wakeups.rebuilds == 0


async def test_trying_once_tells_what_a_worker_would_meet(hq: Hq) -> None:
    supabase = SupabaseSettings(SUPABASE_URL=hq.stack.url, SUPABASE_SERVICE_ROLE_KEY=hq.stack.secret_key)

    assert await try_realtime(supabase, RealtimeSettings.model_validate(SHORT), clock=SystemClock()) is None
    hq.stack.realtime.tune(public_access=False)
    refused = await try_realtime(supabase, RealtimeSettings.model_validate(SHORT), clock=SystemClock())
    hq.stack.kill_realtime()
    away = await try_realtime(supabase, RealtimeSettings.model_validate(SHORT), clock=SystemClock())

    assert refused is not None
    assert refused.code == "PrivateOnly"
    assert away is not None
    assert hq.stack.secret_key not in away.reason


@pytest.mark.parametrize("harm", ["cut", "close", "freeze"])
async def test_rebuilding_leaves_nothing_behind(hq: Hq, harm: str) -> None:
    async with watching(hq, Listener(), REALTIME_ECHO_SECONDS=0.2) as wakeups:
        await is_live(wakeups)
        before = workings()
        assert before == ["_heartbeat", "_listen", "keepalive"]

        for rebuilds in range(1, 3):
            match harm:
                case "cut":
                    hq.stack.realtime.cut_sockets()
                case "close":
                    hq.stack.realtime.close_sockets(1001)
                case _:
                    hq.stack.realtime.freeze_sockets(60)
            await is_rebuilt(wakeups, rebuilds)
            await is_live(wakeups)

        await until(lambda: workings() == before)


def workings() -> list[str]:
    """Name what a client runs as long as it lives; the timers of what it sent end by themselves."""
    tasks = [repr(task.get_coro()) for task in asyncio.all_tasks()]
    return sorted(name for name in ("_listen", "_heartbeat", "keepalive") for task in tasks if f".{name} at " in task)
