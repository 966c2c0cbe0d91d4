"""Whoever waits for a run hears of its end, wherever it was executed; the worker takes no more than it can do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from support.runs import NOW, FakeAnnouncer, FakeStore, fail_with, make_claim

from shared.errors import BackendUnavailable, RateLimited
from shared.registry import RUN_TYPES
from shared.runs import Claim, Outcome, RunStatus, Settlement
from workers.clock import SystemClock
from workers.ports import Acceptance, EndedRun, Look, Meter, OwnerRequest, WakeupState
from workers.runtime.launcher import RunLauncher
from workers.runtime.worker import Worker
from workers.settings import WorkerSettings

REQUEST = OwnerRequest(requester=uuid4(), run_type="CODE_REVIEW")
LIMITED = next(run_type.key for run_type in RUN_TYPES.values() if run_type.max_parallel == 2)


class Wakeups:
    state = WakeupState.LIVE

    def __init__(self) -> None:
        self.look: Look = lambda _: None

    async def watch(self, *, look: Look, **_: Any) -> None:
        self.look = look
        await asyncio.Event().wait()


class Hall:
    """A launcher before a worker whose runs end when a test says so."""

    def __init__(self, *, concurrency: int = 2, wait: float = 5, look_up_every: float = 2, grace: float = 0.1) -> None:
        self.store = FakeStore()
        self.wakeups = Wakeups()
        self.may_end = asyncio.Event()
        self.stop = asyncio.Event()
        settings = WorkerSettings(concurrency=concurrency, grace=timedelta(seconds=grace))
        self.worker = Worker(
            store=self.store,
            execute=self.execute,
            wakeups=self.wakeups,
            announcer=FakeAnnouncer(),
            clock=SystemClock(),
            settings=settings,
            worker_id="w",
        )
        self.launcher = RunLauncher(
            self.worker,
            self.store,
            clock=SystemClock(),
            wait=timedelta(seconds=wait),
            look_up_every=timedelta(seconds=look_up_every),
        )

    async def execute(self, claim: Claim, meter: Meter) -> Settlement:
        del claim, meter
        await self.may_end.wait()
        return Settlement(outcome=Outcome.COMPLETED, summary="## Rapport", appendix={"model_used": "m"})

    def accept(
        self, claim: Claim | None = None, *, status: RunStatus = RunStatus.RUNNING, reason: str = "created"
    ) -> Acceptance:
        run_id = claim.run_id if claim else make_claim().run_id
        acceptance = Acceptance(run_id=run_id, status=status, created=True, reason=reason, claim=claim)
        self.store.acceptances.append(acceptance)
        return acceptance

    def end(self, acceptance: Acceptance) -> None:
        self.store.ended[acceptance.run_id] = EndedRun(
            run_id=acceptance.run_id,
            run_type="CODE_REVIEW",
            platform_key=None,
            status=RunStatus.FAILED,
            summary="Raté.",
            appendix={},
            completed_at=NOW,
        )


@asynccontextmanager
async def running(hall: Hall) -> AsyncIterator[None]:
    task = asyncio.create_task(hall.worker.run(hall.stop))
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        hall.stop.set()
        await task


async def test_the_end_of_a_run_executed_here_is_told_without_asking_the_database() -> None:
    hall = Hall()
    claim = make_claim("CODE_REVIEW", platform_key="nearvity")
    hall.accept(claim)
    hall.may_end.set()

    async with running(hall):
        launch = await hall.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert (launch.ended.run_id, launch.ended.platform_key) == (claim.run_id, "nearvity")
    assert (launch.ended.status, launch.ended.summary) == (RunStatus.COMPLETED, "## Rapport")
    assert hall.store.requests == [(REQUEST, True)]


async def test_the_hint_of_a_request_that_was_taken_at_once_is_no_news() -> None:
    hall = Hall()
    claim = make_claim("CODE_REVIEW")
    hall.accept(claim)
    hall.may_end.set()

    async with running(hall):
        await hall.launcher.launch(REQUEST)
        await asyncio.sleep(0.1)  # what the end of a run makes the loop look for
        looks = len(hall.store.slots)
        hall.wakeups.look(str(claim.run_id))
        await asyncio.sleep(0.1)
        assert len(hall.store.slots) == looks
        hall.wakeups.look(str(make_claim().run_id))
        await asyncio.sleep(0.1)
        assert len(hall.store.slots) == looks + 1


async def test_nobody_waits_through_a_pause() -> None:
    hall = Hall(wait=60)
    held = hall.accept(status=RunStatus.PENDING, reason="created, paused")

    async with running(hall):
        launch = await hall.launcher.launch(REQUEST)

    assert launch.ended is None
    assert (launch.ticket.run_id, launch.ticket.status) == (held.run_id, RunStatus.PENDING)


async def test_a_run_that_has_ended_already_is_looked_up_at_once() -> None:
    hall = Hall()
    hall.end(hall.accept(status=RunStatus.FAILED))

    launch = await hall.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert launch.ended.summary == "Raté."


async def test_a_run_executed_elsewhere_is_looked_up_until_it_ends() -> None:
    hall = Hall(look_up_every=0.02)
    acceptance = hall.accept()

    waiting = asyncio.create_task(hall.launcher.launch(REQUEST))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    hall.end(acceptance)

    assert (await waiting).ended == hall.store.ended[acceptance.run_id]


async def test_a_database_that_is_away_while_one_waits_is_asked_again() -> None:
    hall = Hall(look_up_every=0.02)
    acceptance = hall.accept()
    hall.store.faults["read_ended"] = lambda: fail_with(BackendUnavailable())

    waiting = asyncio.create_task(hall.launcher.launch(REQUEST))
    await asyncio.sleep(0.05)
    hall.end(acceptance)
    hall.store.faults.clear()

    assert (await waiting).ended is not None


async def test_nobody_waits_for_ever() -> None:
    hall = Hall(wait=0.05)
    hall.accept(make_claim("CODE_REVIEW"))

    async with running(hall):
        launch = await hall.launcher.launch(REQUEST)

    assert launch.ended is None
    assert launch.ticket.status is RunStatus.RUNNING


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING])
async def test_a_run_that_waited_is_told_as_it_is_when_its_caller_leaves(status: RunStatus) -> None:
    hall = Hall(wait=0.05)
    acceptance = hall.accept(status=RunStatus.PENDING)
    hall.store.statuses[acceptance.run_id] = status

    launch = await hall.launcher.launch(REQUEST)

    assert (launch.ended, launch.ticket.status) == (None, status)


async def test_a_run_that_waited_is_told_as_accepted_where_the_database_is_away() -> None:
    hall = Hall(wait=0.05)
    hall.accept(status=RunStatus.PENDING)
    hall.store.faults["read_status"] = lambda: fail_with(BackendUnavailable())

    launch = await hall.launcher.launch(REQUEST)

    assert launch.ticket.status is RunStatus.PENDING


async def test_a_desk_that_closes_lets_everybody_go() -> None:
    hall = Hall()
    hall.accept(make_claim("CODE_REVIEW"))
    hall.accept()

    async with running(hall):
        waiting = asyncio.create_task(hall.launcher.launch(REQUEST))
        await asyncio.sleep(0.01)
        hall.launcher.close()
        assert (await waiting).ended is None
        assert (await hall.launcher.launch(REQUEST)).ended is None


async def test_a_refusal_reaches_whoever_asked_and_leaves_the_place_free() -> None:
    hall = Hall(concurrency=1)
    hall.store.faults["accept"] = lambda: fail_with(RateLimited())
    with pytest.raises(RateLimited):
        await hall.launcher.launch(REQUEST)
    hall.store.faults.clear()
    hall.accept(make_claim("CODE_REVIEW"))
    hall.may_end.set()

    async with running(hall):
        assert (await hall.launcher.launch(REQUEST)).ended is not None
    assert hall.store.requests[-1][1] is True


async def test_requests_on_their_way_do_not_take_more_places_than_there_are() -> None:
    hall = Hall(concurrency=2, wait=0.05)
    for _ in range(5):
        hall.accept()

    await asyncio.gather(*(hall.launcher.launch(REQUEST) for _ in range(5)))

    assert [claim for _, claim in hall.store.requests] == [True, True, False, False, False]


async def test_a_limited_type_is_not_taken_beyond_its_own_places() -> None:
    hall = Hall(concurrency=8, wait=0.05)
    for _ in range(3):
        hall.accept()

    await asyncio.gather(*(hall.worker.request(REQUEST.model_copy(update={"run_type": LIMITED})) for _ in range(3)))

    assert [claim for _, claim in hall.store.requests] == [True, True, False]


async def test_a_run_whose_claim_arrives_while_the_worker_stops_is_still_executed_within_the_grace() -> None:
    """The database shows the run as running before the worker has read the answer that says so."""
    hall = Hall(grace=5)
    hall.accept(make_claim("CODE_REVIEW"))
    hall.may_end.set()

    async def stop_meanwhile() -> None:
        hall.stop.set()
        while not hall.worker._closing:  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)

    async with running(hall):
        hall.store.faults["accept"] = stop_meanwhile
        launch = await hall.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert hall.store.released == []


async def test_a_claim_that_arrives_after_the_grace_is_handed_back() -> None:
    hall = Hall()
    claim = make_claim("CODE_REVIEW")
    hall.accept(claim)

    async def stop_meanwhile() -> None:
        hall.stop.set()
        while not hall.worker._closed:  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0.01)

    async with running(hall):
        hall.store.faults["accept"] = stop_meanwhile
        await hall.worker.request(REQUEST)

    assert [lease for lease, _ in hall.store.released] == [claim]
    assert not hall.worker.executes(claim.run_id)


async def test_a_stopping_worker_asks_for_others() -> None:
    hall = Hall()
    async with running(hall):
        hall.stop.set()
    hall.accept()

    await hall.worker.request(REQUEST)

    assert hall.store.requests == [(REQUEST, False)]
