"""The plan, and the latest finished run of each type."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import call
from workers.ports import LastRun, PlannedJob, Slot


class _JobRow(BaseModel):
    model_config = ConfigDict(extra="allow")

    hours: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def job(self) -> PlannedJob:
        calendar = {"hours": self.hours, "weekdays": self.weekdays}
        return PlannedJob.model_validate({**(self.model_extra or {}), "calendar": calendar})


_JOBS = TypeAdapter(list[_JobRow])
_SLOTS = TypeAdapter(list[Slot])
_LAST_RUNS = TypeAdapter(list[LastRun])


class SupabasePlan:
    """The plan of ``hq`` and its history, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read_jobs(self) -> Sequence[PlannedJob]:
        """Read the jobs of the plan as they are now. Raises: BackendError."""
        return [row.job for row in await call(self._client, "list_hq_jobs", {}, _JOBS)]

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due of the plan; return the slots that this call decided. Idempotent. Raises: BackendError."""
        return await call(self._client, "enqueue_due_hq_runs", {}, _SLOTS)

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""
        runs = await call(self._client, "list_hq_last_runs", {"p_run_types": list(run_types)}, _LAST_RUNS)
        return {run.run_type: run for run in runs}
