"""Wake → claim → execute → settle; heartbeat; graceful stop. Python works here, SQL decides."""

import asyncio
import contextlib
import math
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from shared.errors import BackendError, BackendUnavailable, LeaseLost
from shared.registry import RUN_TYPES
from shared.runs import Claim, LeaseState, RunId, RunStatus
from workers import traces
from workers.ports import (
    UNOBSERVED,
    Announcer,
    AttemptEnd,
    Clock,
    Meter,
    Observer,
    OwnerRequest,
    RunExecutor,
    RunStore,
    RunTicket,
    Wakeups,
)
from workers.runtime.periodic import PeriodicTask
from workers.runtime.waiters import RunWaiters
from workers.settings import WorkerSettings

T = TypeVar("T")

log = structlog.get_logger(__name__)

ReadTraceparents = Callable[[Sequence[RunId]], Coroutine[Any, Any, Mapping[RunId, str]]]
"""Reads where the requests of runs stood in a trace."""

# Workers that started together must not look together.
_JITTER: Final = 0.15
# A worker that stops may outlive its grace period by no more than this.
_HAND_BACK: Final = timedelta(seconds=10)
# A claim waits for a rescue, whose runs it may get, but not for one that is stuck.
_RESCUE_PATIENCE: Final = timedelta(seconds=1)
# A run that starts waits no longer to learn in which trace it was requested.
_TRACE_PATIENCE: Final = timedelta(seconds=2)
# Nothing depends on the goodbye: a worker that leaves without it is taken for dead.
_LEAVE: Final = timedelta(seconds=2)
# The run types with a limit on how many one process takes at once.
_MAX_PARALLEL: Final = {
    run_type.key: run_type.max_parallel for run_type in RUN_TYPES.values() if run_type.max_parallel is not None
}

_ENDS: Final = {
    RunStatus.COMPLETED: AttemptEnd.COMPLETED,
    RunStatus.FAILED: AttemptEnd.FAILED,
    RunStatus.CANCELLED: AttemptEnd.CANCELLED,
    RunStatus.PENDING: AttemptEnd.RETRY,
}


@dataclass
class _Execution:
    claim: Claim
    # Where its request stood in a trace, if it was requested here.
    origin: str | None = None
    task: "asyncio.Task[None]" = field(init=False)
    meter: Meter = field(default_factory=Meter)
    # Once this is true, the settlement itself shows whether the lease was still held.
    settling: bool = False
    # Set before the task is cancelled, so that its end is logged with the right cause.
    dropped_as: LeaseState | None = None

    def name_end(self, error: BaseException) -> AttemptEnd:
        """Return how an attempt ended that was not settled."""
        match error:
            case LeaseLost():
                return AttemptEnd.LEASE_LOST
            case asyncio.CancelledError():
                return AttemptEnd.HANDED_BACK if self.dropped_as is None else AttemptEnd(self.dropped_as.value)
            case _:
                return AttemptEnd.UNSETTLED


class Worker:
    """One worker: claims due runs up to its concurrency, renews their leases, and stops without losing any."""

    def __init__(  # noqa: PLR0913 - each is named, and one thing that a worker works with
        self,
        *,
        store: RunStore,
        execute: RunExecutor,
        wakeups: Wakeups,
        announcer: Announcer,
        clock: Clock,
        settings: WorkerSettings,
        worker_id: str,
        periodic_tasks: Sequence[PeriodicTask] = (),
        observer: Observer = UNOBSERVED,
        read_traceparents: ReadTraceparents | None = None,
    ) -> None:
        self._store = store
        self._execute = execute
        self._wakeups = wakeups
        self.announcer: Final = announcer
        self._clock = clock
        self._settings = settings
        self._worker_id = worker_id
        self._periodic_tasks = periodic_tasks
        self._observer = observer
        self._read_traceparents = read_traceparents
        self.waiters: Final = RunWaiters()
        self._running: dict[RunId, _Execution] = {}
        # Places reserved for requests on their way to the database, by run type: they may come back with a claim.
        self._kept: Counter[str] = Counter()
        # Requests that may come back with a claim: a stopping worker waits for their answers too.
        self._accepting: set[asyncio.Future[None]] = set()
        # The claim that is under way, for the same reason.
        self._claiming: set[asyncio.Task[None]] = set()
        self._rescuing: set[asyncio.Task[None]] = set()
        self._closing = False  # claims no more
        self._closed = False  # starts nothing more: a claim that still arrives is handed back
        self._rescue_at = -math.inf
        self._look = asyncio.Event()
        # Whether due runs may have been left in the queue for want of room: the next run that ends makes some.
        self._left_some = True
        # Runs that were inserted and claimed in one transaction: the hint about them comes after the fact.
        self._taken_at_once: deque[str] = deque(maxlen=256)
        self._beat = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, then finish what the grace period allows and hand back the rest."""
        log.info("worker.started", worker_id=self._worker_id, concurrency=self._settings.concurrency)
        background = [
            asyncio.create_task(self._wakeups.watch(look=self._hear, check_leases=self._beat.set), name="wakeups"),
            asyncio.create_task(self._keep_leases(), name="heartbeat"),
            asyncio.create_task(self.announcer.run(), name="announcements"),
        ]
        periodic_tasks = [asyncio.create_task(self._repeat(task), name=task.name) for task in self._periodic_tasks]
        try:
            await self._take_work_until(stop)
            await _end(periodic_tasks)
            await self._drain()
        finally:
            await _end([*periodic_tasks, *self._claiming, *self._rescuing, *background])
        await self._answer("leave", self._leave())
        log.info("worker.stopped", worker_id=self._worker_id)

    # ── Requests from callers that wait ─────────────────────────────────────────────────────────────

    async def submit(self, request: OwnerRequest) -> RunTicket:
        """Request a run, and execute it here if there is room. Raises: CallerError, BackendError."""
        run_type = request.run_type
        room = not self._closing and self._free > 0 and self._type_slots().get(run_type, 1) > 0
        with traces.span("request") as asking, self._keep_place(run_type) if room else contextlib.nullcontext():
            accepted = await self._store.accept(request, claim=room)
            asking.note(run_id=str(accepted.run_id))
            origin = traces.current_traceparent() if accepted.created else None
        if accepted.claim is not None:
            self._taken_at_once.append(str(accepted.run_id))
            if self._closed:
                await self._answer("release", self._store.release([(accepted.claim, ())]))
            else:
                self._start(accepted.claim, origin)
        if accepted.status is RunStatus.PENDING:
            self._look.set()
        return RunTicket.model_validate(accepted, from_attributes=True)

    @property
    def executing(self) -> int:
        """Return how many runs are being executed here."""
        return len(self._running)

    def executes(self, run_id: RunId) -> bool:
        """Return whether the run is being executed here, where its end is known first."""
        return run_id in self._running

    @contextlib.contextmanager
    def _keep_place(self, run_type: str) -> Iterator[None]:
        """Reserve a place for a claim that may arrive, and make a stopping worker wait for it."""
        arriving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept[run_type] += 1
        self._accepting.add(arriving)
        try:
            yield
        finally:
            self._kept[run_type] -= 1
            self._accepting.discard(arriving)
            arriving.set_result(None)

    # ── Work ─────────────────────────────────────────────────────────────────────────────────

    async def _take_work_until(self, stop: asyncio.Event) -> None:
        stopping = asyncio.create_task(stop.wait())
        taking = asyncio.create_task(self._take_work(), name="taking")
        try:
            await asyncio.wait({stopping, taking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await _end([taking])
        if not taking.cancelled():
            taking.result()  # it never returns: this raises what ended it

    async def _take_work(self) -> None:
        while True:
            self._look.clear()
            if self._clock.monotonic() >= self._rescue_at and not self._rescuing:
                await self._clock.wait(_track(self._rescue(), self._rescuing), within=_RESCUE_PATIENCE)
            # Shielded, because an answer on its way may hold runs: a stopping worker waits for it too.
            await asyncio.shield(_track(self._claim(), self._claiming))
            await self._clock.wait(self._look, within=self._jitter(self._settings.sweep_every))

    def _hear(self, run_id: str | None) -> None:
        if run_id not in self._taken_at_once:
            self._look.set()

    async def _repeat(self, task: PeriodicTask) -> None:
        """Repeat a task until cancelled."""
        pause = timedelta(0) if task.at_start else task.every * self._random.random()
        while True:
            await self._clock.sleep(pause)
            await self._answer(task.name, task.do())
            pause = self._jitter(task.every)

    def _jitter(self, period: timedelta) -> timedelta:
        return period * (1 + self._random.uniform(-_JITTER, _JITTER))

    async def _rescue(self) -> None:
        # No later than the next jittered look, or every other look would come too early.
        self._rescue_at = self._clock.monotonic() + self._settings.sweep_every.total_seconds() * (1 - _JITTER)
        rescue = await self._answer("rescue", self._store.rescue())
        if rescue is not None and not rescue.did_nothing:
            log.info("runs.rescued", **rescue.model_dump())

    async def _claim(self) -> None:
        self._left_some = True
        free = self._free
        if free <= 0:
            return
        claims = await self._answer("claim", self._store.claim(free, self._type_slots()))
        if claims is None:
            return
        self._left_some = len(claims) == free
        for claim in claims:
            self._start(claim)
        if claims:
            self._beat.set()  # from now on leases are checked often
        if claims and len(claims) < free:
            self._look.set()  # a type's own limit may have hidden others; when full, the next run that ends looks again

    async def _answer(self, call: str, answer: Awaitable[T]) -> T | None:
        """Await an answer of the backend; log a failure instead of raising, because it must not end the worker."""
        try:
            return await answer
        except (BackendError, TimeoutError) as error:
            code = error.code if isinstance(error, BackendError) else BackendUnavailable.code
            log.warning("backend.failed", call=call, error_code=code, error_message=str(error))
        except Exception:
            log.exception("backend.failed", call=call)
        # While the backend is away, even healthy workers' leases run out: they must renew before anybody rescues.
        self._rescue_at = max(self._rescue_at, self._clock.monotonic() + self._settings.renew_every.total_seconds())
        return None

    @property
    def _free(self) -> int:
        return self._settings.concurrency - len(self._running) - self._kept.total()

    def _type_slots(self) -> dict[str, int]:
        """Return how many more runs of each limited type this process takes."""
        busy = self._kept + Counter(execution.claim.run_type for execution in self._running.values())
        return {key: max(limit - busy[key], 0) for key, limit in _MAX_PARALLEL.items()}

    def _start(self, claim: Claim, origin: str | None = None) -> None:
        if (former := self._running.get(claim.run_id)) is not None:
            self._drop(former, LeaseState.LOST)  # a newer claim voids the older, even when both are ours
        execution = self._running[claim.run_id] = _Execution(claim, origin)
        execution.task = asyncio.create_task(self._work(execution), name=f"run {claim.run_id}")

    def _drop(self, execution: _Execution, state: LeaseState) -> None:
        # A cancellation is intended; a lost lease means that a fault was repaired.
        write = log.info if state is LeaseState.CANCELLED else log.warning
        write("run.dropped", run_id=str(execution.claim.run_id), state=state.value)
        execution.dropped_as = state
        execution.task.cancel()

    async def _work(self, execution: _Execution) -> None:
        claim, meter = execution.claim, execution.meter
        started = self._clock.monotonic()
        bound = log.bind(
            run_id=str(claim.run_id),
            run_type=claim.run_type,
            attempt=claim.attempt,
            worker_id=self._worker_id,
        )
        end = AttemptEnd.UNSETTLED
        try:
            status = await (self._attempt_in_trace(execution) if traces.is_on() else self._attempt(execution))
            end = _ENDS.get(status, AttemptEnd.UNSETTLED)
        except LeaseLost as error:
            end = execution.name_end(error)
            bound.warning("run.lease_lost", error_message=str(error))
        except BackendError as error:
            # The lease runs out and another attempt resumes after the last checkpoint.
            bound.error("run.unsettled", error_code=error.code, error_message=str(error))
        except asyncio.CancelledError as error:
            end = execution.name_end(error)
            if execution.dropped_as is not None and meter.total.calls:
                await self._answer("release", self._hand_back([execution]))  # nothing is left of it but the bill
            raise
        except Exception:
            log.exception("run.unsettled", run_id=str(claim.run_id))
        finally:
            if self._running.get(claim.run_id) is execution:
                del self._running[claim.run_id]
            seconds = self._clock.monotonic() - started
            self._observer.note_attempt(claim.run_type, end, seconds, meter.bills)
            bound.info(
                "run.settled",
                end=end.value,
                duration_ms=round(seconds * 1000),
                model=meter.total.model,
                tokens_in=meter.total.tokens_in,
                tokens_out=meter.total.tokens_out,
                cost_eur=str(meter.total.cost_eur),
            )
            if self._left_some or claim.run_type in _MAX_PARALLEL:
                self._look.set()

    async def _attempt(self, execution: _Execution) -> RunStatus:
        claim, meter = execution.claim, execution.meter
        settlement = await self._execute(claim, meter)
        execution.settling = True
        with traces.span("settle") as settling:
            status = await self._store.settle(claim, settlement, meter.bills)
            settling.note(end=status.value)
        self.waiters.publish(claim, settlement, status, at=self._clock.now())
        self.announcer.note_end(claim.run_type, status)
        return status

    async def _attempt_in_trace(self, execution: _Execution) -> RunStatus:
        """Attempt it in the trace of its request, whoever received that; else in one named after the run."""
        claim = execution.claim
        origin = execution.origin or await self._find_origin(claim.run_id)
        with traces.span(
            "claim",
            parent=origin,
            run=claim.run_id,
            run_id=str(claim.run_id),
            run_type=claim.run_type,
            attempt=claim.attempt,
            lease_token=claim.lease_token,
            trigger=claim.trigger,
        ) as attempt:
            structlog.contextvars.bind_contextvars(trace_id=attempt.trace_id)  # of this task alone
            end = AttemptEnd.UNSETTLED
            try:
                status = await self._attempt(execution)
                end = _ENDS.get(status, AttemptEnd.UNSETTLED)
            except BaseException as error:
                end = execution.name_end(error)
                raise
            finally:
                total = execution.meter.total
                attempt.note(end=end.value, tokens_in=total.tokens_in, tokens_out=total.tokens_out)
                if not end.is_intended:
                    attempt.fail(end.value)
        return status

    async def _find_origin(self, run_id: RunId) -> str | None:
        if self._read_traceparents is None:
            return None
        reading = self._wait_for(self._read_traceparents([run_id]), within=_TRACE_PATIENCE)
        return (await self._answer("trace", reading) or {}).get(run_id)

    # ── Leases ───────────────────────────────────────────────────────────────────────────────

    async def _keep_leases(self) -> None:
        """Renew all leases in one call, often enough; drop the runs that are no longer ours."""
        while True:
            self._beat.clear()
            held = {run_id: execution.claim for run_id, execution in self._running.items()}
            states = await self._answer("renew", self._renew(list(held.values())))
            self._drop_lost(held, states or {})
            # A renewal that failed is tried again while the leases still hold.
            pause = self._settings.renew_every / 5 if states is None else self._beat_period()
            await self._clock.wait(self._beat, within=pause)

    async def _renew(self, leases: Sequence[Claim]) -> Mapping[RunId, LeaseState]:
        renewal = self._store.renew(leases, self._wakeups.state.value, self._wakeups.fault)
        return await self._wait_for(renewal, within=self._settings.renew_every / 2)

    def _drop_lost(self, held: Mapping[RunId, Claim], states: Mapping[RunId, LeaseState]) -> None:
        for run_id, state in states.items():
            execution = self._running.get(run_id)
            if execution is None or execution.claim is not held.get(run_id) or state is LeaseState.HELD:
                continue
            if not execution.settling and execution.dropped_as is None:
                self._drop(execution, state)

    def _beat_period(self) -> timedelta:
        # Realtime may silently lose a cancellation: while something runs, ask often, whatever Realtime's state.
        period = self._settings.cancel_poll if self._running else self._settings.renew_every
        return min(period, self._settings.renew_every)

    # ── The end ──────────────────────────────────────────────────────────────────────────────

    async def _drain(self) -> None:
        """Let running work finish within the grace period, then hand the rest back: no attempt is counted."""
        self._closing = True
        if self._running or self._accepting or self._claiming:
            grace = self._settings.grace.total_seconds()
            log.info("worker.draining", running=len(self._running), accepting=len(self._accepting), grace_s=grace)
            await self._finish(until=self._clock.monotonic() + grace)
        self._closed = True
        await _end(list(self._claiming))
        left = list(self._running.values())
        for execution in left:
            execution.task.cancel()
        await asyncio.gather(*(execution.task for execution in left), return_exceptions=True)
        if not left:
            return
        released = await self._answer("release", self._hand_back(left))
        if released is not None:
            log.info("runs.released", released=released)

    async def _finish(self, *, until: float) -> None:
        """Wait for the current runs, and for those whose claim is on its way: their callers want reports too."""
        while (left := until - self._clock.monotonic()) > 0:
            unfinished = [*self._accepting, *self._claiming, *(execution.task for execution in self._running.values())]
            if not unfinished:
                return
            await self._clock.wait(asyncio.gather(*unfinished, return_exceptions=True), within=timedelta(seconds=left))

    async def _leave(self) -> None:
        await self._wait_for(self._store.leave(), within=_LEAVE)

    async def _hand_back(self, executions: Sequence[_Execution]) -> int:
        bills = [(execution.claim, execution.meter.bills) for execution in executions]
        return await self._wait_for(self._store.release(bills), within=_HAND_BACK)

    async def _wait_for(self, call: Coroutine[Any, Any, T], *, within: timedelta) -> T:
        """Await a call, and cancel it when its time is up. Raises: TimeoutError, whatever the call raises."""
        task = asyncio.create_task(call)
        try:
            if not await self._clock.wait(task, within=within):
                raise TimeoutError(f"no answer within {within.total_seconds():g} s")
            return task.result()
        finally:
            task.cancel()


def _track(call: Coroutine[Any, Any, None], under_way: "set[asyncio.Task[None]]") -> "asyncio.Task[None]":
    """Start a call, and track it among those under way until it is done."""
    task = asyncio.create_task(call)
    under_way.add(task)
    task.add_done_callback(under_way.discard)
    return task


async def _end(tasks: "Sequence[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
