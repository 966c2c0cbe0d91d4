"""What `executive-run` takes and answers: fields, types and statuses as the screens have always known them."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.errors import InvalidRequest
from shared.registry import RUN_TYPES
from workers.ports import EndedRun, RunTicket
from workers.web.exchange import render_wait


class ExecutiveRunRequest(BaseModel):
    """The body of a request. What else a client sends is ignored, as ever."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    run_type: str = Field(json_schema_extra={"enum": list(RUN_TYPES)})
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
    appendix = run.appendix
    entry = RUN_TYPES.get(run.run_type)
    return {
        "success": True,
        "run_id": str(run.run_id),
        "run_type": run.run_type,
        **({} if run.platform_key is None else {"platform_key": run.platform_key}),
        "executive_summary": run.summary,
        "steps": list(entry.steps) if entry else [],
        "model_used": appendix.get("model_used", ""),
        "fallback_used": appendix.get("fallback_used") is True,
        "breaker_state": appendix.get("breaker_state", "CLOSED"),
        "data_sources": appendix.get("data_sources", []),
        "completed_at": run.completed_at.isoformat(),
    }


def render_progress(ticket: RunTicket, request: ExecutiveRunRequest) -> dict[str, JsonValue]:
    """Render a run that has outlasted its caller's wait: it goes on, or has yet to start."""
    return {
        "success": True,
        "run_id": str(ticket.run_id),
        "run_type": request.run_type,
        **({} if request.platform_key is None else {"platform_key": request.platform_key}),
        **render_wait(ticket),
    }
