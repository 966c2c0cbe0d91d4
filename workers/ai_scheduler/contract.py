"""What `ai-scheduler` and `scheduled-runs` take and answer, as the screens have always known it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import InvalidRequest, UnknownJob
from shared.registry import JOBS, TIME_ZONE, Job, Weekday, find_job
from shared.runs import RunId, RunStatus
from shared.wording import shorten
from workers.ai_scheduler.launch import Decided
from workers.ports import EndedRun, LastRun, PlannedRun
from workers.web import STILL_RUNNING

ACTIONS: Final = ("status", "list", "execute", "ai_decide", "cron_trigger")
"""What may be asked, of one of the two or of both."""
TIMEZONE_NAME: Final = TIME_ZONE.key
_SUMMARY_CHARS: Final = 200


class SchedulerRequest(BaseModel):
    """The body of a request. What else a client sends is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    action: str = Field(json_schema_extra={"enum": list(ACTIONS)})
    job_key: str | None = Field(None, json_schema_extra={"examples": list(JOBS)})

    @property
    def job(self) -> Job:
        """Return the job that is meant. Raises: InvalidRequest without a key, UnknownJob."""
        if not self.job_key:
            raise InvalidRequest("job_key is missing.")
        job = find_job(self.job_key)
        if job is None:
            raise UnknownJob(f"No job {self.job_key[:80]!r}.")
        return job


def read_request(body: dict[str, JsonValue]) -> SchedulerRequest:
    """Read a request. Raises: InvalidRequest."""
    try:
        return SchedulerRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest("action, job_key: missing or of the wrong type.") from error


def refuse_action(action: str) -> InvalidRequest:
    """Name an action that there is not."""
    return InvalidRequest(f"No action {action[:80]!r}.")


def render_job(job: Job) -> dict[str, JsonValue]:
    """Render what the registry says of a job."""
    days: list[JsonValue] = [_render_day(day) for day in job.calendar.weekdays]
    return {
        "key": job.key,
        "name": job.name,
        "runType": job.run_type,
        "description": job.description,
        "schedule": {"hours": list(job.calendar.hours), "days": days},
        "priority": job.priority.value,
        "enabled": True,
        "cronExpression": _render_cron(job),
    }


def render_state(job: Job, last_runs: Mapping[str, LastRun], now: datetime) -> dict[str, JsonValue]:
    """Render a job with what ran last, and whether it is due."""
    last = last_runs.get(job.run_type)
    return render_job(job) | {"isDueNow": is_due(job, last, now), "lastRun": _render_last(last)}


def is_due(job: Job, last: LastRun | None, now: datetime) -> bool:
    """Tell whether the job's hour is now and it has not run today, by the clock of Paris."""
    today = now.astimezone(TIME_ZONE).date()
    has_run = last is not None and last.completed_at.astimezone(TIME_ZONE).date() == today
    return job.calendar.covers(now) and not has_run


def render_decision(decided: Decided, ended: Mapping[RunId, EndedRun | None], now: datetime) -> dict[str, JsonValue]:
    """Render a decision: what the plan did within the hour, then what was added and how far it got."""
    executed: list[JsonValue] = [_render_planned(run) for run in decided.done]
    executed += [_render_launched(job, ended.get(run_id)) for job, run_id in decided.launched]
    return {
        "success": True,
        "ai_decision": {
            "jobs_to_run": list(decided.jobs_to_run),
            "reasoning": decided.reasoning,
            "next_check_in_minutes": decided.next_check_in_minutes,
        },
        "executed": executed,
        "runs_launched": len(decided.launched),
        "runs_skipped": len(decided.skipped),
        "checked_at": now.isoformat(),
    }


def _render_planned(run: PlannedRun) -> dict[str, JsonValue]:
    return _render_executed(run.job, run.status, run.summary)


def _render_launched(job: str, ended: EndedRun | None) -> dict[str, JsonValue]:
    return _render_executed(job, ended.status, ended.summary) if ended else _render_executed(job, RunStatus.RUNNING, "")


def _render_executed(job: str, status: RunStatus, summary: str | None) -> dict[str, JsonValue]:
    if status in {RunStatus.FAILED, RunStatus.CANCELLED}:
        return {"job": job, "success": False, "error": shorten(summary or "", _SUMMARY_CHARS)}
    told = (summary or "") if status is RunStatus.COMPLETED else STILL_RUNNING
    return {"job": job, "success": True, "summary": shorten(told, _SUMMARY_CHARS)}


def _render_last(last: LastRun | None) -> dict[str, JsonValue] | None:
    # Only of a finished run: the panel formats the date without looking.
    if last is None:
        return None
    return {"id": str(last.run_id), "status": last.status.value, "completedAt": last.completed_at.isoformat()}


def _render_cron(job: Job) -> str:
    hours = ",".join(map(str, job.calendar.hours))
    every_day = len(set(job.calendar.weekdays)) == len(Weekday)
    days = "*" if every_day else ",".join(str(_render_day(day)) for day in job.calendar.weekdays)
    return f"0 {hours} * * {days}"


def _render_day(day: Weekday) -> int:
    return day % 7  # there, Sunday is 0
