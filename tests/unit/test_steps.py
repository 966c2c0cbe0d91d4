"""Steps are done once: what is checkpointed is recalled, what is not is written with the settlement."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
from support.clock import FakeClock
from support.runs import BILL, COLLECTED, FakeStore, fail_with, make_claim

from shared.errors import BackendRejected, BackendUnavailable, LeaseLost
from shared.findings import Collected
from shared.runs import Claim, RunStatus
from workers.executive_run.steps import WORTH_A_CHECKPOINT, Step, StepRecorder
from workers.ports import Answer, Meter

SLOW = WORTH_A_CHECKPOINT + timedelta(milliseconds=1)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def open_steps(store: FakeStore, clock: FakeClock, meter: Meter) -> partial[StepRecorder]:
    return partial(StepRecorder, store=store, clock=clock, meter=meter)


class Work:
    """Some work that takes its time, or money."""

    def __init__(self, clock: FakeClock, *, takes: timedelta = timedelta(0), meter: Meter | None = None) -> None:
        self.clock = clock
        self.takes = takes
        self.meter = meter
        self.times = 0

    async def __call__(self) -> Collected:
        self.times += 1
        self.clock.advance(self.takes)
        if self.meter is not None:
            self.meter.add(BILL)
        return COLLECTED


async def test_a_quick_free_step_waits_for_the_settlement(
    open_steps: partial[StepRecorder], store: FakeStore, clock: FakeClock
) -> None:
    steps = open_steps(make_claim())

    assert await steps.do(Step.COLLECT, Collected, Work(clock, takes=WORTH_A_CHECKPOINT)) == COLLECTED

    assert not store.checkpoints
    (record,) = steps.unwritten()
    assert record.status is RunStatus.COMPLETED
    assert Collected.model_validate(record.output) == COLLECTED


async def test_a_slow_step_is_checkpointed_and_not_written_again(
    open_steps: partial[StepRecorder], store: FakeStore, clock: FakeClock
) -> None:
    steps = open_steps(make_claim())

    await steps.do(Step.COLLECT, Collected, Work(clock, takes=SLOW))

    assert [record.name for record in store.checkpoints] == ["Collecte"]
    assert not steps.unwritten()


async def test_an_answer_that_came_at_once_travels_with_the_settlement(
    open_steps: partial[StepRecorder], store: FakeStore, clock: FakeClock, meter: Meter
) -> None:
    steps = open_steps(make_claim())

    await steps.do(Step.ASK, Collected, Work(clock, meter=meter))

    assert not store.checkpoints
    assert [record.name for record in steps.unwritten()] == ["Rapport du modèle"]


async def test_a_checkpointed_step_is_not_done_again(open_steps: partial[StepRecorder], clock: FakeClock) -> None:
    steps = open_steps(make_claim(checkpoints={"Collecte": COLLECTED.model_dump(mode="json")}))
    work = Work(clock)

    assert await steps.do(Step.COLLECT, Collected, work) == COLLECTED
    assert work.times == 0
    assert not steps.unwritten()


async def test_a_checkpoint_of_another_version_is_done_again(
    open_steps: partial[StepRecorder], clock: FakeClock
) -> None:
    steps = open_steps(make_claim(checkpoints={"Collecte": {"findings": "in another shape"}}))
    work = Work(clock)

    assert await steps.do(Step.COLLECT, Collected, work) == COLLECTED
    assert work.times == 1


async def test_a_failed_step_is_written_as_failed(open_steps: partial[StepRecorder]) -> None:
    steps = open_steps(make_claim())

    async def fail() -> Answer:
        raise KeyError

    with pytest.raises(KeyError):
        await steps.do(Step.ASK, Answer, fail)

    (record,) = steps.unwritten()
    assert (record.name, record.status, record.output) == ("Rapport du modèle", RunStatus.FAILED, None)


async def test_a_step_that_the_time_limit_ends_is_written_as_failed(open_steps: partial[StepRecorder]) -> None:
    steps = open_steps(make_claim())

    async def hang() -> Collected:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await steps.do(Step.COLLECT, Collected, hang)

    assert [record.status for record in steps.unwritten()] == [RunStatus.FAILED]


@pytest.mark.parametrize("error", [LeaseLost(), BackendRejected()])
async def test_a_refused_checkpoint_ends_the_step(
    open_steps: partial[StepRecorder], store: FakeStore, clock: FakeClock, meter: Meter, error: Exception
) -> None:
    store.faults["checkpoint"] = lambda: fail_with(error)

    with pytest.raises(type(error)):
        await open_steps(make_claim()).do(Step.ASK, Collected, Work(clock, takes=SLOW, meter=meter))


async def test_a_paid_answer_survives_a_checkpoint_that_could_not_be_written(
    open_steps: partial[StepRecorder], store: FakeStore, clock: FakeClock, meter: Meter
) -> None:
    store.faults["checkpoint"] = lambda: fail_with(BackendUnavailable())
    steps = open_steps(make_claim())

    assert await steps.do(Step.ASK, Collected, Work(clock, takes=SLOW, meter=meter)) == COLLECTED

    (record,) = steps.unwritten()
    assert Collected.model_validate(record.output) == COLLECTED


async def test_what_is_unwritten_comes_in_the_order_of_the_steps(
    open_steps: partial[StepRecorder], clock: FakeClock
) -> None:
    claim: Claim = make_claim()
    steps = open_steps(claim)

    steps.note(Step.SETTLE, clock.now())
    await steps.do(Step.COLLECT, Collected, Work(clock))
    steps.note(Step.COMPOSE, clock.now())

    assert [record.name for record in steps.unwritten()] == ["Collecte", "Rédaction de la demande", "Enregistrement"]
    assert [record.step_order for record in steps.unwritten()] == [1, 2, 4]
