"""Runs from the requester's side: requested, read, listed, cancelled."""

from pydantic import TypeAdapter
from supabase import AsyncClient

from shared.runs import RunId, RunStatus
from workers.backend.rpc import OneRow, Rows, call
from workers.ports import RunDetail, RunLine, RunRequest, RunTicket

_TICKETS = OneRow(TypeAdapter(RunTicket))
_DETAILS = OneRow(TypeAdapter(RunDetail))
_LINES = Rows(TypeAdapter(RunLine), key="run_id")
_STATUS = TypeAdapter(RunStatus)


class SupabaseRunRequests:
    """The runs of ``hq``, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def submit(self, request: RunRequest) -> RunTicket:
        """Request a run. Raises: the CallerError that SQL signalled; BackendError."""
        params = {f"p_{name}": value for name, value in request.model_dump(mode="json").items()}
        return await call(self._client, "request_hq_run_v2", params, _TICKETS)

    async def read(self, run_id: RunId) -> RunDetail:
        """Read one run. Raises: UnknownRun, BackendError."""
        return await call(self._client, "get_hq_run", {"p_run_id": str(run_id)}, _DETAILS)

    async def list_latest(self, limit: int, status: RunStatus | None) -> list[RunLine]:
        """List the latest runs, newest first. Raises: BackendError."""
        params = {"p_limit": limit, "p_status": status and status.value}
        return await call(self._client, "list_hq_runs", params, _LINES)

    async def cancel(self, run_id: RunId) -> RunStatus:
        """Cancel a run; return its status. Idempotent. Raises: UnknownRun, BackendError."""
        return await call(self._client, "cancel_hq_run", {"p_run_id": str(run_id)}, _STATUS)
