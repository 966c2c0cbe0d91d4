"""An HTTP call as an endpoint sees it, and what it answers: no framework, no socket.

Endpoints raise the errors of ``shared.errors``; ``app`` renders them as a status and a French sentence.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pydantic import JsonValue

from shared.errors import Forbidden, InvalidRequest, Unauthenticated, WorkersError
from shared.runs import RunId, RunStatus
from workers.ports import Caller, EndedRun, Identity, Launcher, RunTicket

_RECORDED: Final = (
    "La demande est enregistrée ; l'exécution se fera en arrière-plan. "
    "Le rapport apparaîtra dans la liste des exécutions dès qu'il sera prêt."
)
_PAUSED: Final = (
    "Les exécutions sont en pause. Votre demande est enregistrée ; elle sera traitée dès la reprise. "
    "Le rapport apparaîtra dans la liste des exécutions."
)
_STILL_RUNNING: Final = (
    "L'exécution continue en arrière-plan. Le rapport apparaîtra dans la liste des exécutions dès qu'il sera prêt."
)

_BEARER: Final = "bearer "
# Statuses that the caller can act upon: by paying, waiting or trying again. Everything else is our fault.
_ACTIONABLE: Final = frozenset({402, 429, 503})
_CANCELLED: Final = 409
_OURS: Final = 500
_CANCELLED_SENTENCE: Final = "L'exécution a été annulée avant la fin. Relancez-la si le rapport reste utile."


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One answer: always a JSON object."""

    body: Mapping[str, JsonValue]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    failed_runs: Sequence[RunId] = ()
    """The runs of which the caller learns from it that they failed."""
    on_answer: Callable[[RunId], None] | None = None
    """Called for each of them when the answer is sent to a caller who is still there."""


class Endpoint(Protocol):
    """Answers the calls of one address."""

    async def __call__(self, request: Request) -> Response:
        """Answer. Raises: WorkersError."""


def render_wait(ticket: RunTicket) -> dict[str, JsonValue]:
    """Render the progress of a run that nobody waits for any longer, with a sentence for the reader."""
    if ticket.is_paused:
        return {"status": ticket.status.value, "paused": True, "executive_summary": _PAUSED}
    return {"status": ticket.status.value, "executive_summary": describe_progress(ticket.status)}


def describe_progress(status: RunStatus) -> str:
    """Describe a run's progress in a French sentence."""
    return _RECORDED if status is RunStatus.PENDING else _STILL_RUNNING


def render_error(error: WorkersError, **more: JsonValue) -> Response:
    """Render an error: its sentence for the reader, its code for programs, and nothing else."""
    body: dict[str, JsonValue] = {"success": False, "error": error.sentence, "error_code": error.code}
    headers = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        seconds = max(1, round(retry_after.total_seconds()))
        body["retryAfter"] = seconds
        headers["retry-after"] = str(seconds)
    return Response(body | more, error.http_status, headers)


def render_failure(run: EndedRun, launcher: Launcher) -> Response:
    """Render a run that ended without a report: its status, and the sentence stored with the run.

    The launcher is notified when the caller gets it, so that the failure is not announced to everybody as well.
    """
    body: dict[str, JsonValue] = {"success": False, "run_id": str(run.run_id), "run_type": run.run_type}
    if run.status is RunStatus.CANCELLED:
        body |= {"error": run.summary or _CANCELLED_SENTENCE, "error_code": "cancelled"}
        return Response(body, _CANCELLED)
    stored = run.appendix.get("http_status")
    status = stored if isinstance(stored, int) and stored in _ACTIONABLE else _OURS
    body |= {"error": run.summary, "error_code": run.appendix.get("error_code") or "internal_error"}
    return Response(body, status, failed_runs=[run.run_id], on_answer=launcher.note_answer)


async def identify(identity: Identity, request: Request) -> Caller:
    """Return who is calling. Raises: Unauthenticated, BackendError."""
    header = request.headers.get("authorization", "")
    if not header.lower().startswith(_BEARER):
        raise Unauthenticated("No bearer token came with the request.")
    return await identity.identify(header[len(_BEARER) :].strip())


async def identify_owner(identity: Identity, request: Request) -> Caller:
    """Return the owner who is calling. Raises: Unauthenticated, Forbidden, BackendError."""
    caller = await identify(identity, request)
    if not caller.is_owner:
        raise Forbidden("The caller's role is not owner.")
    return caller


def read_object(request: Request) -> dict[str, JsonValue]:
    """Read the body as a JSON object; no body is an empty one. Raises: InvalidRequest."""
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON ({type(error).__name__}).") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body is not a JSON object.")
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def is_same_secret(given: str, expected: str) -> bool:
    """Compare in constant time, revealing nothing, not even a length."""
    return hmac.compare_digest(
        *(hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (given, expected))
    )
