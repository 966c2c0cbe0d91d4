"""HTTP ↔ the scheduled jobs: `ai-scheduler` for the panel, `scheduled-runs` for the older screens and for cron."""

import asyncio
from datetime import timedelta
from typing import Protocol

from pydantic import JsonValue, SecretStr

from shared.errors import CronNotConfigured, Forbidden, InvalidRequest, UnknownJob
from shared.runs import RunStatus
from workers.ai_scheduler.contract import (
    SWITCHED_OFF,
    TIMEZONE_NAME,
    read_request,
    refuse_action,
    render_decision,
    render_job,
    render_slot,
    render_state,
)
from workers.ai_scheduler.launch import Autopilot
from workers.ports import Caller, Clock, Identity, Launcher, OwnerRequest, Plan, PlannedJob, RunHistory
from workers.web.exchange import (
    Request,
    Response,
    identify_owner,
    is_same_secret,
    read_object,
    render_failure,
    render_wait,
)


class Scheduling(Plan, RunHistory, Protocol):
    """What scheduling needs from the database."""


class _Jobs:
    """What both endpoints do with jobs."""

    def __init__(self, *, identity: Identity, launcher: Launcher, database: Scheduling, clock: Clock) -> None:
        self._identity = identity
        self._launcher = launcher
        self._database = database
        self._clock = clock

    async def _states(self) -> list[JsonValue]:
        jobs = await self._database.read_jobs()
        last_runs = await self._database.read_last_runs([job.run_type for job in jobs])
        return [render_state(job, last_runs) for job in jobs]

    async def _read_job(self, key: str) -> PlannedJob:
        """Read a job as it stands in the plan. Raises: UnknownJob, BackendError."""
        for job in await self._database.read_jobs():
            if key in {job.key, *job.aliases}:
                return job
        raise UnknownJob(f"No job {key[:80]!r}.")

    async def _execute(self, caller: Caller, request: Request, job: PlannedJob) -> Response:
        launch = await self._launcher.launch(
            OwnerRequest(
                requester=caller.user_id,
                run_type=job.run_type,
                context={"triggered_by": "manual", "job_key": job.key},
                idempotency_key=request.headers.get("idempotency-key"),
            )
        )
        body: dict[str, JsonValue] = {
            "success": True,
            "job": render_job(job),
            "run_id": str(launch.ticket.run_id),
            "run_type": job.run_type,
        }
        if launch.ended is None:
            return Response(body | render_wait(launch.ticket), 202)
        if launch.ended.status is RunStatus.COMPLETED:
            return Response(body | {"executive_summary": launch.ended.summary})
        return render_failure(launch.ended, self._launcher)


class AiSchedulerEndpoint(_Jobs):
    """`POST /functions/v1/ai-scheduler`: status, execute, ai_decide."""

    def __init__(
        self,
        *,
        identity: Identity,
        launcher: Launcher,
        database: Scheduling,
        clock: Clock,
        autopilot: Autopilot,
        wait: timedelta,
    ) -> None:
        super().__init__(identity=identity, launcher=launcher, database=database, clock=clock)
        self._autopilot = autopilot
        self._wait = wait

    async def __call__(self, request: Request) -> Response:
        """Answer the panel. Raises: CallerError, BackendError."""
        caller = await identify_owner(self._identity, request)
        body = read_request(read_object(request))
        match body.action:
            case "status":
                return Response({"success": True, "jobs": await self._states(), "timezone": TIMEZONE_NAME})
            case "execute":
                return await self._execute(caller, request, await self._read_job(body.wanted_job_key))
            case "ai_decide":
                return await self._decide()
            case other:
                raise refuse_action(other)

    async def _decide(self) -> Response:
        """Decide, or return the existing decision; wait for the launched runs in the time left."""
        began = self._clock.monotonic()
        decided = await self._autopilot.decide()
        left = max(timedelta(0), self._wait - timedelta(seconds=self._clock.monotonic() - began))
        run_ids = [run_id for _, run_id in decided.launched]
        ends = await asyncio.gather(*(self._launcher.follow(run_id, within=left) for run_id in run_ids))
        failed = [end.run_id for end in ends if end is not None and end.status is RunStatus.FAILED]
        body = render_decision(decided, dict(zip(run_ids, ends, strict=True)), self._clock.now())
        return Response(body, failed_runs=failed, on_answer=self._launcher.note_answer)


class ScheduledRunsEndpoint(_Jobs):
    """`POST /functions/v1/scheduled-runs`: list, status, execute; cron_trigger with a secret instead of a person."""

    def __init__(
        self,
        *,
        identity: Identity,
        launcher: Launcher,
        database: Scheduling,
        clock: Clock,
        secret: SecretStr | None,
    ) -> None:
        super().__init__(identity=identity, launcher=launcher, database=database, clock=clock)
        self._secret = secret

    async def __call__(self, request: Request) -> Response:
        """Answer. Raises: CallerError, BackendError."""
        if _asks_to_trigger(request):
            return await self._trigger(request)
        caller = await identify_owner(self._identity, request)
        body = read_request(read_object(request))
        match body.action:
            case "list":
                jobs: list[JsonValue] = [render_job(job) for job in await self._database.read_jobs()]
                return Response({"success": True, "jobs": jobs, "timezone": TIMEZONE_NAME})
            case "status":
                return Response({"success": True, "jobs": await self._states()})
            case "execute":
                job = await self._read_job(body.wanted_job_key)
                if not job.enabled:
                    raise InvalidRequest(f"Job {job.key!r} is switched off.", sentence=SWITCHED_OFF)
                return await self._execute(caller, request, job)
            case other:
                raise refuse_action(other)

    async def _trigger(self, request: Request) -> Response:
        if self._secret is None:
            raise CronNotConfigured
        if not is_same_secret(request.headers.get("x-cron-secret", ""), self._secret.get_secret_value()):
            raise Forbidden("X-Cron-Secret is missing or wrong.")
        # The same call as pg_cron's and every worker's: a slot is fired once, whichever comes first.
        executed: list[JsonValue] = [render_slot(slot) for slot in await self._database.fire_due()]
        return Response({"success": True, "executed": executed})


def _asks_to_trigger(request: Request) -> bool:
    try:
        return read_object(request).get("action") == "cron_trigger"
    except InvalidRequest:
        return False  # an owner then learns what is wrong; an untrusted caller is only refused
