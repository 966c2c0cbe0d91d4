"""What `ai-scheduler` and `scheduled-runs` take and answer, as the screens have always known it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import InvalidRequest
from shared.registry import JOBS, TIME_ZONE, Weekday
from shared.runs import RunId, RunStatus
from shared.untrusted_text import shorten
from workers.ai_scheduler.launch import Decided
from workers.ports import EndedRun, LastRun, PlannedJob, PlannedRun, Slot, SlotOutcome
from workers.web.exchange import describe_progress

ACTIONS: Final = ("status", "list", "execute", "ai_decide", "cron_trigger")
"""The actions that one of the two functions, or both, accept."""
TIMEZONE_NAME: Final = TIME_ZONE.key
SWITCHED_OFF: Final = "Cette tâche est désactivée dans le plan. Réactivez-la pour la lancer."

_SUMMARY_CHARS: Final = 200
_SENTENCES: Final = {
    "paused": "Créneau passé sans lancement : les exécutions sont en pause.",
    "panic": "Créneau passé sans lancement : le bouton d'urgence est enclenché.",
    "budget_exhausted": "Créneau passé sans lancement : le budget IA du mois est épuisé.",
    "disabled": "Créneau passé sans lancement : la tâche est désactivée.",
    "too_late": "Créneau manqué depuis trop longtemps pour être rattrapé.",
}


class SchedulerRequest(BaseModel):
    """The body of a request. What else a client sends is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    action: str = Field(json_schema_extra={"enum": list(ACTIONS)})
    job_key: str | None = Field(None, json_schema_extra={"examples": list(JOBS)})

    @property
    def wanted_job_key(self) -> str:
        """Return the key of the wanted job. Raises: InvalidRequest without one."""
        if not self.job_key:
            raise InvalidRequest("job_key is missing.")
        return self.job_key


def read_request(body: dict[str, JsonValue]) -> SchedulerRequest:
    """Read a request. Raises: InvalidRequest."""
    try:
        return SchedulerRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest("action, job_key: missing or of the wrong type.") from error


def refuse_action(action: str) -> InvalidRequest:
    """Return the error for an unknown action."""
    return InvalidRequest(f"No action {action[:80]!r}.")


def render_job(job: PlannedJob) -> dict[str, JsonValue]:
    """Render a job as it stands in the plan."""
    days: list[JsonValue] = [*sorted(map(_render_day, job.calendar.weekdays))]
    return {
        "key": job.key,
        "name": job.name,
        "runType": job.run_type,
        "description": job.description,
        "schedule": {"hours": list(job.calendar.hours), "days": days},
        "priority": job.priority.value,
        "enabled": job.enabled,
        "cronExpression": _render_cron(job),
    }


def render_state(job: PlannedJob, last_runs: Mapping[str, LastRun]) -> dict[str, JsonValue]:
    """Render a job with its last run, and whether it is due now."""
    last = last_runs.get(job.run_type)
    return render_job(job) | {"isDueNow": is_due(job, last), "lastRun": _render_last(last)}


def is_due(job: PlannedJob, last: LastRun | None) -> bool:
    """Return whether the job is due in this hour and no run of its type has ended since."""
    return job.due_since is not None and (last is None or last.completed_at < job.due_since)


def render_slot(slot: Slot) -> dict[str, JsonValue]:
    """Render what the trigger did with a slot."""
    done: dict[str, JsonValue] = {"job": slot.job_key, "success": slot.outcome is SlotOutcome.FIRED}
    if slot.outcome is SlotOutcome.FIRED:
        return done | {"result": {"run_id": str(slot.run_id), "status": "pending"}}
    return done | {"error": _SENTENCES.get(slot.reason or "", slot.reason)}


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
    text = (summary or "") if status is RunStatus.COMPLETED else describe_progress(status)
    return {"job": job, "success": True, "summary": shorten(text, _SUMMARY_CHARS)}


def _render_last(last: LastRun | None) -> dict[str, JsonValue] | None:
    # Only for a finished run: the panel formats the date without checking it.
    if last is None:
        return None
    return {"id": str(last.run_id), "status": last.status.value, "completedAt": last.completed_at.isoformat()}


def _render_cron(job: PlannedJob) -> str:
    hours = ",".join(map(str, job.calendar.hours))
    every_day = len(set(job.calendar.weekdays)) == len(Weekday)
    days = "*" if every_day else ",".join(str(day) for day in sorted(map(_render_day, job.calendar.weekdays)))
    return f"0 {hours} * * {days}"


def _render_day(day: Weekday) -> int:
    return day % 7  # there, Sunday is 0
