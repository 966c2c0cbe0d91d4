"""The plan, and the latest finished run of each type."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import Rows, call
from workers.ports import LastRun, PlannedJob, Slot


def _gather_calendar(row: dict[str, Any]) -> dict[str, Any]:
    calendar = {name: row[name] for name in ("hours", "weekdays") if name in row}
    return {name: value for name, value in row.items() if name not in calendar} | {"calendar": calendar}


_JOBS = Rows(TypeAdapter(Annotated[PlannedJob, BeforeValidator(_gather_calendar)]), key="key")
_SLOTS = Rows(TypeAdapter(Slot), key="job_key")
_LAST_RUNS = Rows(TypeAdapter(LastRun), key="run_id")


class SupabasePlan:
    """The plan of ``hq`` and its history, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read_jobs(self) -> Sequence[PlannedJob]:
        """Read the jobs of the plan as they are now. Raises: BackendError."""
        return await call(self._client, "list_hq_jobs", {}, _JOBS)

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due in the plan; return the slots that this call decided. Idempotent. Raises: BackendError."""
        return await call(self._client, "enqueue_due_hq_runs", {}, _SLOTS)

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""
        params = {"p_run_types": list(run_types)}
        runs = await call(self._client, "list_hq_last_runs", params, _LAST_RUNS)
        return {run.run_type: run for run in runs}
