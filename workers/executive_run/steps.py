"""The real steps of a run, and the memory of those already done.

A step that took time is checkpointed as soon as it is done, so that another attempt resumes after it; the others are
written with the settlement, which follows within milliseconds. A model call that costs money also takes time.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import BackendUnavailable
from shared.runs import Claim, RunStatus, StepRecord
from workers import traces
from workers.ports import Clock, Meter, RunStore

T = TypeVar("T", bound=BaseModel)

WORTH_A_CHECKPOINT: Final = timedelta(milliseconds=250)


class Step(Enum):
    """What a run really does, in order; the names are read on the screens."""

    COLLECT = ("Collecte", "Lecture des sources de données, en parallèle.")
    COMPOSE = ("Rédaction de la demande", "Mise en forme des données pour le modèle.")
    ASK = ("Rapport du modèle", "Rédaction du rapport par le modèle d'IA.")
    SETTLE = ("Enregistrement", "Écriture du rapport, des preuves, du coût et du journal.")

    @property
    def order(self) -> int:
        """Return the step's position, from 1."""
        return list(Step).index(self) + 1


class StepRecorder:
    """Runs steps, recalls those done before this attempt, and holds the records still to be written."""

    def __init__(self, claim: Claim, *, store: RunStore, clock: Clock, meter: Meter) -> None:
        self._claim = claim
        self._store = store
        self._clock = clock
        self._meter = meter
        self._unwritten: dict[Step, StepRecord] = {}
        self._began: dict[Step, datetime] = {}

    async def do(self, step: Step, shape: type[T], work: Callable[[], Awaitable[T]]) -> T:
        """Do a step, or return what an earlier attempt checkpointed.

        Raises: LeaseLost when the checkpoint is refused; whatever the work raises.
        """
        done = self._recall(step, shape)
        if done is not None:
            return done
        started = self._clock.now()
        try:
            with traces.span("step", step=step.name.lower()):
                result = await work()
        except (Exception, asyncio.CancelledError):  # cancelled: the run's own time limit
            self._unwritten[step] = self._record(step, RunStatus.FAILED, started)
            raise
        await self._keep(step, started, result)
        return result

    async def extend(self, step: Step, work: Callable[[], Awaitable[T]]) -> T:
        """Do more of a finished step; the result replaces the step's own.

        What the step has led to so far is checkpointed first, and stays if the work fails.
        Raises: LeaseLost when a checkpoint is refused; whatever the work raises.
        """
        if step in self._unwritten:
            await self._checkpoint(step)
        started = self._clock.now()
        with traces.span("step", step=step.name.lower()):
            result = await work()
        await self._keep(step, started, result)
        return result

    async def _keep(self, step: Step, started: datetime, result: BaseModel) -> None:
        self._unwritten[step] = self._record(step, RunStatus.COMPLETED, started, result)
        if self._clock.now() - started > WORTH_A_CHECKPOINT:
            await self._checkpoint(step)

    async def _checkpoint(self, step: Step) -> None:
        with contextlib.suppress(BackendUnavailable):  # then it is written with the settlement
            await self._store.checkpoint(self._claim, self._unwritten[step], self._meter.bills)
            del self._unwritten[step]

    def unwritten(self) -> tuple[StepRecord, ...]:
        """Return the records that the settlement has to write, in order."""
        return tuple(sorted(self._unwritten.values(), key=lambda record: record.step_order))

    def note(self, step: Step, started: datetime) -> None:
        """Record a finished step that leaves nothing to resume from."""
        self._unwritten[step] = self._record(step, RunStatus.COMPLETED, started)

    def _recall(self, step: Step, shape: type[T]) -> T | None:
        output = self._claim.checkpoints.get(step.value[0])
        if output is None:
            return None
        try:
            return shape.model_validate(output)
        except ValidationError:
            return None  # written by another version of this program: the step is done again

    def _record(self, step: Step, status: RunStatus, started: datetime, output: BaseModel | None = None) -> StepRecord:
        name, description = step.value
        began = self._began.setdefault(step, started)
        return StepRecord(
            step_order=step.order,
            name=name,
            description=description,
            status=status,
            output=None if output is None else output.model_dump(mode="json"),
            started_at=began,
            completed_at=self._clock.now(),
        )
