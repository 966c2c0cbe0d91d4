"""What `executive-run` takes and answers: fields, types and statuses as the screens have always known them."""

from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from shared.errors import InvalidRequest
from shared.registry import RUN_TYPES
from shared.runs import RunStatus
from workers.ports import EndedRun, RunTicket

# Statuses that say whose turn it is: to pay, to wait, to try again. Whatever else went wrong is ours.
_TELLING: Final = frozenset({402, 429, 503})
_CANCELLED: Final = 409
_OURS: Final = 500

STILL_RUNNING: Final = (
    "L'exécution continue en arrière-plan. Le rapport apparaîtra dans la liste des exécutions dès qu'il sera prêt."
)
_CANCELLED_SENTENCE: Final = "L'exécution a été annulée avant la fin. Relancez-la si le rapport reste utile."


class ExecutiveRunRequest(BaseModel):
    """The body of a request. What else a client sends is ignored, as ever."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    run_type: str
    platform_key: str | None = None
    context_data: JsonValue = None


def read_request(body: dict[str, JsonValue]) -> ExecutiveRunRequest:
    """Read a request. Raises: InvalidRequest naming the fields at fault."""
    try:
        return ExecutiveRunRequest.model_validate(body)
    except (ValidationError, RecursionError) as error:
        faults = error.errors(include_input=False) if isinstance(error, ValidationError) else []
        names = sorted({str(fault["loc"][0]) for fault in faults if fault["loc"]})
        raise InvalidRequest(f"Missing or of the wrong type: {', '.join(names) or 'context_data'}.") from error


def render_report(run: EndedRun) -> dict[str, JsonValue]:
    """Render a completed run."""
    told = run.appendix
    entry = RUN_TYPES.get(run.run_type)
    return {
        "success": True,
        "run_id": str(run.run_id),
        "run_type": run.run_type,
        **({} if run.platform_key is None else {"platform_key": run.platform_key}),
        "executive_summary": run.summary,
        "steps": list(entry.steps) if entry else [],
        "model_used": told.get("model_used", ""),
        "fallback_used": told.get("fallback_used") is True,
        "breaker_state": told.get("breaker_state", "CLOSED"),
        "data_sources": told.get("data_sources", []),
        "completed_at": run.completed_at.isoformat(),
    }


def render_failure(run: EndedRun) -> tuple[int, dict[str, JsonValue]]:
    """Render a run that ended without a report: its status, and the sentence that the run itself bears."""
    body: dict[str, JsonValue] = {"success": False, "run_id": str(run.run_id), "run_type": run.run_type}
    if run.status is RunStatus.CANCELLED:
        return _CANCELLED, body | {"error": run.summary or _CANCELLED_SENTENCE, "error_code": "cancelled"}
    told = run.appendix.get("http_status")
    status = told if isinstance(told, int) and told in _TELLING else _OURS
    return status, body | {"error": run.summary, "error_code": run.appendix.get("error_code") or "internal_error"}


def render_running(ticket: RunTicket, request: ExecutiveRunRequest) -> dict[str, JsonValue]:
    """Render a run that goes on after its caller has waited long enough."""
    return {
        "success": True,
        "status": "running",
        "run_id": str(ticket.run_id),
        "run_type": request.run_type,
        **({} if request.platform_key is None else {"platform_key": request.platform_key}),
        "executive_summary": STILL_RUNNING,
    }
