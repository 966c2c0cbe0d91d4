"""Whoever waits for a run learns of its end, wherever it was executed; the worker takes no more than it can do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
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
    fault = None

    def __init__(self) -> None:
        self.look: Look = lambda _: None

    async def watch(self, *, look: Look, **_: Any) -> None:
        self.look = look
        await asyncio.Event().wait()


class Setup:
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
        self, claim: Claim | None = None, *, status: RunStatus = RunStatus.RUNNING, is_paused: bool = False
    ) -> Acceptance:
        run_id = claim.run_id if claim else make_claim().run_id
        acceptance = Acceptance(
            run_id=run_id, status=status, created=True, reason="created", is_paused=is_paused, claim=claim
        )
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
async def running(setup: Setup) -> AsyncIterator[None]:
    task = asyncio.create_task(setup.worker.run(setup.stop))
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        setup.stop.set()
        await task


async def test_the_end_of_a_run_executed_here_is_reported_without_asking_the_database() -> None:
    setup = Setup()
    claim = make_claim("CODE_REVIEW", platform_key="nearvity")
    setup.accept(claim)
    setup.may_end.set()

    async with running(setup):
        launch = await setup.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert (launch.ended.run_id, launch.ended.platform_key) == (claim.run_id, "nearvity")
    assert (launch.ended.status, launch.ended.summary) == (RunStatus.COMPLETED, "## Rapport")
    assert setup.store.requests == [(REQUEST, True)]


async def test_the_hint_of_a_request_that_was_taken_at_once_causes_no_look() -> None:
    setup = Setup()
    claim = make_claim("CODE_REVIEW")
    setup.accept(claim)
    setup.may_end.set()

    async with running(setup):
        await setup.launcher.launch(REQUEST)
        await asyncio.sleep(0.1)  # what the end of a run makes the loop look for
        looks = len(setup.store.slots)
        setup.wakeups.look(str(claim.run_id))
        await asyncio.sleep(0.1)
        assert len(setup.store.slots) == looks
        setup.wakeups.look(str(make_claim().run_id))
        await asyncio.sleep(0.1)
        assert len(setup.store.slots) == looks + 1


async def test_nobody_waits_through_a_pause() -> None:
    setup = Setup(wait=60)
    held = setup.accept(status=RunStatus.PENDING, is_paused=True)

    async with running(setup):
        launch = await setup.launcher.launch(REQUEST)

    assert launch.ended is None
    assert (launch.ticket.run_id, launch.ticket.status) == (held.run_id, RunStatus.PENDING)


async def test_a_run_that_has_ended_already_is_looked_up_at_once() -> None:
    setup = Setup()
    setup.end(setup.accept(status=RunStatus.FAILED))

    launch = await setup.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert launch.ended.summary == "Raté."


async def test_a_run_executed_elsewhere_is_looked_up_until_it_ends() -> None:
    setup = Setup(look_up_every=0.02)
    acceptance = setup.accept()

    waiting = asyncio.create_task(setup.launcher.launch(REQUEST))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    setup.end(acceptance)

    assert (await waiting).ended == setup.store.ended[acceptance.run_id]


async def test_a_database_that_is_away_while_one_waits_is_asked_again() -> None:
    setup = Setup(look_up_every=0.02)
    acceptance = setup.accept()
    setup.store.faults["read_ended"] = lambda: fail_with(BackendUnavailable())

    waiting = asyncio.create_task(setup.launcher.launch(REQUEST))
    await asyncio.sleep(0.05)
    setup.end(acceptance)
    setup.store.faults.clear()

    assert (await waiting).ended is not None


async def test_nobody_waits_for_ever() -> None:
    setup = Setup(wait=0.05)
    setup.accept(make_claim("CODE_REVIEW"))

    async with running(setup):
        launch = await setup.launcher.launch(REQUEST)

    assert launch.ended is None
    assert launch.ticket.status is RunStatus.RUNNING


@pytest.mark.parametrize("status", [RunStatus.PENDING, RunStatus.RUNNING])
async def test_the_status_of_a_run_that_waited_is_current_when_its_caller_leaves(status: RunStatus) -> None:
    setup = Setup(wait=0.05)
    acceptance = setup.accept(status=RunStatus.PENDING)
    setup.store.statuses[acceptance.run_id] = status

    launch = await setup.launcher.launch(REQUEST)

    assert (launch.ended, launch.ticket.status) == (None, status)


async def test_a_run_that_waited_is_reported_as_accepted_where_the_database_is_away() -> None:
    setup = Setup(wait=0.05)
    setup.accept(status=RunStatus.PENDING)
    setup.store.faults["read_status"] = lambda: fail_with(BackendUnavailable())

    launch = await setup.launcher.launch(REQUEST)

    assert launch.ticket.status is RunStatus.PENDING


async def test_a_launcher_that_closes_lets_everybody_go() -> None:
    setup = Setup()
    setup.accept(make_claim("CODE_REVIEW"))
    setup.accept()

    async with running(setup):
        waiting = asyncio.create_task(setup.launcher.launch(REQUEST))
        await asyncio.sleep(0.01)
        setup.launcher.close()
        assert (await waiting).ended is None
        assert (await setup.launcher.launch(REQUEST)).ended is None


async def test_a_refusal_reaches_whoever_asked_and_leaves_the_place_free() -> None:
    setup = Setup(concurrency=1)
    setup.store.faults["accept"] = lambda: fail_with(RateLimited())
    with pytest.raises(RateLimited):
        await setup.launcher.launch(REQUEST)
    setup.store.faults.clear()
    setup.accept(make_claim("CODE_REVIEW"))
    setup.may_end.set()

    async with running(setup):
        assert (await setup.launcher.launch(REQUEST)).ended is not None
    assert setup.store.requests[-1][1] is True


async def test_requests_on_their_way_do_not_take_more_places_than_there_are() -> None:
    setup = Setup(concurrency=2, wait=0.05)
    for _ in range(5):
        setup.accept()

    await asyncio.gather(*(setup.launcher.launch(REQUEST) for _ in range(5)))

    assert [claim for _, claim in setup.store.requests] == [True, True, False, False, False]


async def test_a_limited_type_is_not_taken_beyond_its_own_places() -> None:
    setup = Setup(concurrency=8, wait=0.05)
    for _ in range(3):
        setup.accept()

    await asyncio.gather(*(setup.worker.submit(REQUEST.model_copy(update={"run_type": LIMITED})) for _ in range(3)))

    assert [claim for _, claim in setup.store.requests] == [True, True, False]


async def test_a_run_whose_claim_arrives_while_the_worker_stops_is_still_executed_within_the_grace() -> None:
    """The database shows the run as running before the worker has read the answer that says so."""
    setup = Setup(grace=5)
    setup.accept(make_claim("CODE_REVIEW"))
    setup.may_end.set()

    async def stop_meanwhile() -> None:
        setup.stop.set()
        while not any(line["event"] == "worker.draining" for line in logs):  # noqa: ASYNC110 - the log alone says it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)

    with structlog.testing.capture_logs() as logs:
        async with running(setup):
            setup.store.faults["accept"] = stop_meanwhile
            launch = await setup.launcher.launch(REQUEST)

    assert launch.ended is not None
    assert setup.store.released == []


async def test_a_claim_that_arrives_after_the_grace_is_handed_back() -> None:
    setup = Setup()
    claim = make_claim("CODE_REVIEW")
    setup.accept(claim)

    async def stop_meanwhile() -> None:
        setup.stop.set()
        while not setup.store.has_left:  # noqa: ASYNC110 - no event says it
            await asyncio.sleep(0.01)

    async with running(setup):
        setup.store.faults["accept"] = stop_meanwhile
        await setup.worker.submit(REQUEST)

    assert [lease for lease, _ in setup.store.released] == [claim]
    assert not setup.worker.executes(claim.run_id)


async def test_a_stopping_worker_asks_for_others() -> None:
    setup = Setup()
    async with running(setup):
        setup.stop.set()
    setup.accept()

    await setup.worker.submit(REQUEST)

    assert setup.store.requests == [(REQUEST, False)]
