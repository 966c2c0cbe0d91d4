"""The worker against a store that misbehaves: leases are kept, losses are noticed, nothing ends it but its stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from support.runs import BILL, FakeAnnouncer, FakeStore, fail_with, make_claim

from shared.errors import BackendRejected, BackendUnavailable, LeaseLost
from shared.registry import RUN_TYPES
from shared.runs import Claim, LeaseState, Outcome, RunStatus, Settlement
from workers.clock import SystemClock
from workers.ports import Look, Meter, Usage, WakeupFault, WakeupState
from workers.runtime.periodic import PeriodicTask
from workers.runtime.worker import Worker
from workers.settings import WorkerSettings

# Real time, made short: what is a second here is a minute in production.
SHORT = {
    "LEASE_SECONDS": 0.4,
    "LEASE_RENEW_SECONDS": 0.1,
    "CANCEL_POLL_SECONDS": 0.03,
    "SWEEP_SECONDS": 0.05,
    "SHUTDOWN_GRACE_SECONDS": 0.1,
    "WORKER_CONCURRENCY": 2,
}
REPORT = Settlement(outcome=Outcome.COMPLETED, summary="## Rapport", appendix={})
LIMITED = next(run_type for run_type in RUN_TYPES.values() if run_type.max_parallel == 2)


class SilentWakeups:
    """Never hints, unless a test does."""

    def __init__(self, state: WakeupState = WakeupState.LIVE) -> None:
        self.state = state
        self.fault: WakeupFault | None = None
        self.look: Look = lambda _: None
        self.check_leases: Callable[[], None] = lambda: None

    async def watch(self, *, look: Look, check_leases: Callable[[], None]) -> None:
        self.look, self.check_leases = look, check_leases
        await asyncio.Event().wait()


class HastyClock(SystemClock):
    """Lets nobody wait for longer than a tenth of a second."""

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        return await super().wait(event, within=min(within, timedelta(seconds=0.1)))


class Work:
    """What a claimed run does: waits for leave, and remembers who came and who was stopped."""

    def __init__(self) -> None:
        self.bill = Usage()
        self.may_end = asyncio.Event()
        self.begun: list[Claim] = []
        self.stopped: list[Claim] = []

    async def __call__(self, claim: Claim, meter: Meter) -> Settlement:
        meter.add(self.bill)
        self.begun.append(claim)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped.append(claim)
            raise
        return REPORT


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def work() -> Work:
    return Work()


@asynccontextmanager
async def running(
    store: FakeStore,
    execute: Work,
    wakeups: SilentWakeups | None = None,
    announcer: FakeAnnouncer | None = None,
    clock: SystemClock | None = None,
    periodic_tasks: Sequence[PeriodicTask] = (),
    **settings: float,
) -> AsyncIterator[asyncio.Event]:
    """Run a worker while the test looks on; it must stop by itself after the stop event."""
    worker = Worker(
        store=store,
        execute=execute,
        wakeups=wakeups or SilentWakeups(),
        announcer=announcer or FakeAnnouncer(),
        clock=clock or SystemClock(),
        settings=WorkerSettings.model_validate(SHORT | settings),
        worker_id="worker",
        periodic_tasks=periodic_tasks,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        try:
            yield stop
        finally:
            stop.set()


async def until(condition: Callable[[], object], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what happens sets no event
            await asyncio.sleep(0.005)


async def hang() -> None:
    await asyncio.Event().wait()


async def test_a_claimed_run_is_executed_and_settled_once(store: FakeStore, work: Work) -> None:
    claim = make_claim()
    store.claims = [[claim]]
    work.may_end.set()

    async with running(store, work):
        await until(lambda: store.settlements)

    assert [(lease, settlement) for lease, settlement, _ in store.settlements] == [(claim, REPORT)]
    assert not store.released


async def test_the_announcer_hears_how_every_attempt_ended(store: FakeStore, work: Work) -> None:
    announcer = FakeAnnouncer()
    first, second = make_claim("CODE_REVIEW"), make_claim("SEO_AUDIT")
    store.statuses = {first.run_id: RunStatus.PENDING}
    store.claims = [[first, second]]
    work.may_end.set()

    async with running(store, work, announcer=announcer):
        await until(lambda: len(store.settlements) == 2)

    assert announcer.ends == [("CODE_REVIEW", RunStatus.PENDING), ("SEO_AUDIT", RunStatus.COMPLETED)]


async def test_no_more_runs_are_taken_than_the_worker_does_at_once(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim(), make_claim()], [make_claim()]]

    async with running(store, work):
        await until(lambda: len(work.begun) == 2 and store.rescues > 2)
        assert len(store.claims) == 1
        work.may_end.set()
        await until(lambda: len(store.settlements) == 3)


async def test_a_run_that_ends_makes_room_at_once(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim()], [make_claim()]]
    work.may_end.set()

    async with running(store, work, SWEEP_SECONDS=60, WORKER_CONCURRENCY=1):
        await until(lambda: len(store.settlements) == 2)


async def test_after_a_run_nobody_looks_for_what_was_not_left_behind(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim()], [], [make_claim()]]

    async with running(store, work, SWEEP_SECONDS=60):
        await until(lambda: len(store.slots) == 2)
        work.may_end.set()
        await until(lambda: store.settlements)
        await asyncio.sleep(0.05)

    assert len(store.slots) == 2
    assert len(store.settlements) == 1


async def test_the_end_of_a_run_of_a_limited_type_makes_room_for_another(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim(LIMITED.key)], [], [make_claim(LIMITED.key)]]

    async with running(store, work, SWEEP_SECONDS=60):
        await until(lambda: len(store.slots) == 2)
        work.may_end.set()
        await until(lambda: len(store.settlements) == 2)


async def test_a_types_own_limit_is_told_with_each_claim(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim(LIMITED.key)]]

    async with running(store, work):
        await until(lambda: len(store.slots) >= 2)
        assert [slots[LIMITED.key] for slots in store.slots[:2]] == [2, 1]
        work.may_end.set()


@pytest.mark.parametrize("state", [LeaseState.LOST, LeaseState.CANCELLED])
async def test_a_run_that_is_not_ours_any_more_is_stopped_and_writes_nothing(
    store: FakeStore, work: Work, state: LeaseState
) -> None:
    claim = make_claim()
    store.claims, store.states = [[claim]], {claim.run_id: state}

    with structlog.testing.capture_logs() as logs:
        async with running(store, work):
            await until(lambda: work.stopped == [claim])

    assert not store.settlements
    assert not store.released
    # Who cancels a run wants just that: it is no reason to warn anybody.
    level = "info" if state is LeaseState.CANCELLED else "warning"
    assert {"event": "run.dropped", "run_id": str(claim.run_id), "state": state.value, "log_level": level} in logs
    assert [line["end"] for line in logs if line["event"] == "run.settled"] == [state.value]


@pytest.mark.parametrize("end", ["dropped", "handed back"])
async def test_what_an_abandoned_attempt_billed_is_told(store: FakeStore, work: Work, end: str) -> None:
    claim, work.bill = make_claim(), BILL
    store.claims = [[claim]]
    if end == "dropped":
        store.states = {claim.run_id: LeaseState.CANCELLED}

    async with running(store, work) as stop:
        await until(lambda: work.begun)
        if end == "handed back":
            stop.set()
        await until(lambda: store.released)

    assert store.released == [(claim, (BILL,))]


@pytest.mark.parametrize("state", WakeupState)
async def test_while_a_run_is_executed_leases_are_checked_as_often_as_a_cancellation_needs(
    store: FakeStore, work: Work, state: WakeupState
) -> None:
    """Also where Realtime is live: it can lose a change and report nothing."""
    store.claims = [[make_claim()]]

    async with running(store, work, SilentWakeups(state), LEASE_SECONDS=20, LEASE_RENEW_SECONDS=10):
        await until(lambda: sum(map(bool, store.renewals)) >= 3)


async def test_a_run_claimed_again_by_the_same_worker_keeps_its_newer_lease(store: FakeStore, work: Work) -> None:
    """After an outage longer than the lease, a worker may be handed its own run while it still works on it."""
    older = make_claim()
    newer = older.model_copy(update={"lease_token": 2})
    store.claims = [[older], [newer]]

    async with running(store, work):
        await until(lambda: work.stopped == [older])
        await until(lambda: [newer] in store.renewals)
        work.may_end.set()
        await until(lambda: store.settlements)

    assert [lease for lease, _, _ in store.settlements] == [newer]


async def test_a_run_that_is_being_settled_is_not_stopped_by_a_renewal(store: FakeStore, work: Work) -> None:
    """The renewal that crosses a settlement on its way finds the lease gone: it was given up with the report."""
    claim = make_claim()
    store.claims, store.states = [[claim]], {claim.run_id: LeaseState.LOST}
    settled = asyncio.Event()

    async def settle_slowly() -> None:
        await until(lambda: [claim] in store.renewals)
        await asyncio.sleep(0.05)
        settled.set()

    store.faults["settle"] = settle_slowly
    work.may_end.set()

    with structlog.testing.capture_logs() as logs:
        async with running(store, work):
            await until(settled.is_set)
            await until(lambda: store.settlements)

    assert [line["end"] for line in logs if line["event"] == "run.settled"] == ["completed"]


async def test_a_renewal_without_answer_is_repeated_while_the_lease_still_holds(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim()]]
    store.faults["renew"] = hang

    async with running(store, work, LEASE_SECONDS=2, LEASE_RENEW_SECONDS=0.5):
        await until(lambda: sum(map(bool, store.renewals)) >= 3, within=1.9)
        work.may_end.set()


@pytest.mark.parametrize("call", ["claim", "rescue", "renew"])
@pytest.mark.parametrize("error", [BackendUnavailable("away"), BackendRejected("no"), ValueError("unforeseen")])
async def test_no_failure_of_the_backend_ends_the_worker(
    store: FakeStore, work: Work, call: str, error: Exception
) -> None:
    store.faults[call] = lambda: fail_with(error)
    work.may_end.set()

    with structlog.testing.capture_logs() as logs:
        async with running(store, work):
            await until(lambda: [line for line in logs if line["event"] == "backend.failed"])
            store.faults.clear()
            store.claims = [[make_claim()]]
            await until(lambda: store.settlements)
            renewals, rescues = len(store.renewals), store.rescues
            await until(lambda: len(store.renewals) > renewals and store.rescues > rescues)

    assert {line["call"] for line in logs if line["event"] == "backend.failed"} == {call}


async def test_after_an_outage_leases_are_renewed_before_anything_is_rescued(store: FakeStore, work: Work) -> None:
    """Else the first worker to be back would take the runs of all who are still at work."""
    story: list[str] = []

    def noting(call: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        async def note() -> None:
            if error is not None:
                raise error
            story.append(call)

        return note

    for call in ("claim", "rescue", "renew"):
        store.faults[call] = noting(call, BackendUnavailable())
    async with running(store, work):
        await until(lambda: len(store.renewals) > 3)
        for call in ("claim", "rescue", "renew"):
            store.faults[call] = noting(call)
        await until(lambda: "rescue" in story)

    assert "renew" in story[: story.index("rescue")]


@pytest.mark.parametrize("error", [LeaseLost(), BackendUnavailable(), BackendRejected(), ValueError("unforeseen")])
async def test_a_settlement_that_fails_is_told_and_frees_its_place(
    store: FakeStore, work: Work, error: Exception
) -> None:
    store.claims = [[make_claim()], [make_claim()]]
    store.faults["settle"] = lambda: fail_with(error)
    work.may_end.set()

    with structlog.testing.capture_logs() as logs:
        async with running(store, work, WORKER_CONCURRENCY=1):
            await until(lambda: len(work.begun) == 2)
            await until(lambda: sum(line["event"] == "run.settled" for line in logs) == 2)

    assert {line["end"] for line in logs if line["event"] == "run.settled"} <= {"lease_lost", "unsettled"}


async def test_on_stop_work_may_end_within_the_grace_period(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim()]]

    async with running(store, work, SHUTDOWN_GRACE_SECONDS=5) as stop:
        await until(lambda: work.begun)
        stop.set()
        asyncio.get_running_loop().call_later(0.05, work.may_end.set)

    assert len(store.settlements) == 1
    assert not store.released
    assert store.has_left


async def test_on_stop_what_cannot_end_in_time_is_handed_back(store: FakeStore, work: Work) -> None:
    claim = make_claim()
    store.claims = [[claim]]

    async with running(store, work) as stop:
        await until(lambda: work.begun)
        stop.set()

    assert work.stopped == [claim]
    assert store.released == [(claim, (Usage(),))]
    assert not store.settlements


async def test_leases_are_kept_while_work_ends(store: FakeStore, work: Work) -> None:
    store.claims = [[make_claim()]]

    async with running(store, work, SHUTDOWN_GRACE_SECONDS=0.5) as stop:
        await until(lambda: work.begun)
        stop.set()
        renewals = len(store.renewals)
        await until(lambda: len(store.renewals) >= renewals + 2)
        work.may_end.set()


@pytest.mark.parametrize("fault", [partial(fail_with, BackendUnavailable()), hang])
async def test_a_worker_that_cannot_hand_back_stops_all_the_same(
    store: FakeStore, work: Work, fault: Callable[[], Awaitable[None]]
) -> None:
    store.claims = [[make_claim()]]
    store.faults["release"] = fault

    async with asyncio.timeout(2), running(store, work, clock=HastyClock()) as stop:
        await until(lambda: work.begun)
        stop.set()

    assert not store.released


async def test_a_worker_that_cannot_say_that_it_leaves_stops_all_the_same(store: FakeStore, work: Work) -> None:
    store.faults["leave"] = hang

    async with asyncio.timeout(2), running(store, work, clock=HastyClock()) as stop:
        stop.set()

    assert not store.has_left


async def test_a_hint_is_followed_at_once(store: FakeStore, work: Work) -> None:
    wakeups = SilentWakeups()
    work.may_end.set()

    async with running(store, work, wakeups, SWEEP_SECONDS=60, LEASE_SECONDS=60, LEASE_RENEW_SECONDS=30):
        await until(lambda: store.slots)
        store.claims = [[make_claim()]]
        wakeups.look(None)
        await until(lambda: store.settlements)


async def test_dead_workers_runs_are_looked_for_at_every_sweep_in_spite_of_the_jitter(
    store: FakeStore, work: Work
) -> None:
    async with running(store, work, SWEEP_SECONDS=0.05):
        await until(lambda: len(store.slots) >= 20)
        assert store.rescues >= 19


async def test_a_periodic_task_is_done_again_and_again_whatever_becomes_of_it(store: FakeStore, work: Work) -> None:
    outcomes: list[Exception | None] = [None, BackendUnavailable(), ValueError("a defect"), None]
    done: list[Exception | None] = []

    async def do() -> None:
        done.append(outcomes[len(done) % len(outcomes)])
        if (error := done[-1]) is not None:
            raise error

    with structlog.testing.capture_logs() as logs:
        async with running(store, work, periodic_tasks=[PeriodicTask("tidy", timedelta(milliseconds=5), do)]):
            await until(lambda: len(done) > 6)

    assert {line["call"] for line in logs if line["event"] == "backend.failed"} == {"tidy"}


async def test_a_periodic_task_that_hangs_holds_no_run_up(store: FakeStore, work: Work) -> None:
    begun = asyncio.Event()
    work.may_end.set()

    async def do() -> None:
        begun.set()
        await hang()

    async with running(store, work, periodic_tasks=[PeriodicTask("tidy", timedelta(milliseconds=5), do)]):
        await begun.wait()
        store.claims = [[make_claim()]]
        await until(lambda: store.settlements)


async def test_a_worker_that_stops_begins_no_chore_while_its_runs_end(store: FakeStore, work: Work) -> None:
    store.claims.append([make_claim()])
    begun: list[int] = []
    ended: list[int] = []

    async def do() -> None:
        begun.append(store.rescues)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(len(work.stopped))

    task = PeriodicTask("tidy", timedelta(milliseconds=5), do)
    async with running(store, work, periodic_tasks=[task]) as stop:
        await until(lambda: begun and work.begun)
        stop.set()

    assert ended == [0]  # before the run was handed back
    assert len(work.stopped) == 1
