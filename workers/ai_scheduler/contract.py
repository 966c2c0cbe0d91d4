"""What `ai-scheduler` and `scheduled-runs` take and answer, as the screens have always known it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from shared.errors import InvalidRequest, UnknownJob
from shared.registry import TIME_ZONE, Job, Weekday, find_job
from workers.ports import LastRun

TIMEZONE_NAME: Final = TIME_ZONE.key
NOTHING_TO_ADD: Final = "Rien à ajouter : les tâches planifiées suivent leur calendrier, à l'heure de Paris."
CHECK_AGAIN_MINUTES: Final = 60


class SchedulerRequest(BaseModel):
    """The body of a request. What else a client sends is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    action: str
    job_key: str | None = None

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
