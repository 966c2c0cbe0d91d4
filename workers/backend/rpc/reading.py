"""What is read, journalled, purged, announced: runs, logs, platforms, the queue, the database itself."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter
from supabase import AsyncClient

from shared.frozen import FrozenModel
from shared.runs import RunId
from workers.backend.rpc._call import call
from workers.ports import (
    Announcement,
    CatalogueEntry,
    Check,
    CostLine,
    LastRun,
    LogLine,
    OpenMatter,
    PlannedJob,
    Platform,
    Purge,
    QueueState,
    RunDetail,
    RunLine,
    TypeHistory,
)


class SchemaState(FrozenModel):
    """What the database has of ours."""

    migrations: dict[str, str]
    functions: dict[str, str]
    registry_version: str | None
    server_time: datetime


class _JobRow(BaseModel):
    model_config = ConfigDict(extra="allow")

    hours: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def job(self) -> PlannedJob:
        calendar = {"hours": self.hours, "weekdays": self.weekdays}
        return PlannedJob.model_validate({**(self.model_extra or {}), "calendar": calendar})


_ANNOUNCEMENTS = TypeAdapter(list[Announcement])
_DETAILS = TypeAdapter(list[RunDetail])
_LINES = TypeAdapter(list[RunLine])
_LOGS = TypeAdapter(list[LogLine])
_CHECKS = TypeAdapter(list[Check])
_PLATFORMS = TypeAdapter(list[Platform])
_QUEUE_STATES = TypeAdapter(list[QueueState])
_LAST_RUNS = TypeAdapter(list[LastRun])
_PURGES = TypeAdapter(list[Purge])
_COSTS = TypeAdapter(list[CostLine])
_CATALOGUE = TypeAdapter(list[CatalogueEntry])
_HISTORY = TypeAdapter(list[TypeHistory])
_MATTERS = TypeAdapter(list[OpenMatter])
_JOBS = TypeAdapter(list[_JobRow])
_NOTHING = TypeAdapter(None)
_STATES = TypeAdapter(list[SchemaState])


async def get_hq_run(client: AsyncClient, run_id: RunId) -> RunDetail:
    """Read one run. Raises: UnknownRun, BackendError."""
    return (await call(client, "get_hq_run", {"p_run_id": str(run_id)}, _DETAILS))[0]


async def list_hq_runs(client: AsyncClient, limit: int, status: str | None) -> list[RunLine]:
    """List the latest runs, newest first. Raises: BackendError."""
    return await call(client, "list_hq_runs", {"p_limit": limit, "p_status": status}, _LINES)


async def list_hq_logs(
    client: AsyncClient, *, limit: int, run_id: UUID | None, level: str | None, after: datetime | None
) -> list[LogLine]:
    """List structured logs, newest first. Raises: BackendError."""
    params = {
        "p_limit": limit,
        "p_run_id": run_id and str(run_id),
        "p_level": level,
        "p_after": after and after.isoformat(),
    }
    return await call(client, "list_hq_logs", params, _LOGS)


async def read_hq_platforms(client: AsyncClient, platform_key: str | None) -> list[Platform]:
    """Read the managed platforms, or one of them. Raises: BackendError."""
    return await call(client, "read_hq_platforms", {"p_platform_key": platform_key}, _PLATFORMS)


async def read_hq_catalogue(client: AsyncClient) -> list[CatalogueEntry]:
    """Read who may reach what in the database, by names alone. Raises: BackendError."""
    return await call(client, "read_hq_catalogue", {}, _CATALOGUE)


async def read_hq_run_history(client: AsyncClient, days: int) -> list[TypeHistory]:
    """Read how the runs of the last days went, by type. Raises: BackendError."""
    return await call(client, "read_hq_run_history", {"p_days": days}, _HISTORY)


async def read_hq_open_matters(client: AsyncClient, platform_key: str | None) -> list[OpenMatter]:
    """Read what waits for somebody, of one platform or of all. Raises: BackendError."""
    return await call(client, "read_hq_open_matters", {"p_platform_key": platform_key}, _MATTERS)


async def get_hq_ai_costs(client: AsyncClient, month: date | None = None) -> list[CostLine]:
    """Read what the reports of a month cost. Raises: BackendError."""
    return await call(client, "get_hq_ai_costs", {"p_month": month and month.isoformat()}, _COSTS)


async def get_hq_queue_state(client: AsyncClient) -> QueueState:
    """Read how the queue stands. Raises: BackendError."""
    return (await call(client, "get_hq_queue_state", {}, _QUEUE_STATES))[0]


async def list_hq_last_runs(client: AsyncClient, run_types: Sequence[str]) -> list[LastRun]:
    """List the latest finished run of each type that has one. Raises: BackendError."""
    return await call(client, "list_hq_last_runs", {"p_run_types": list(run_types)}, _LAST_RUNS)


async def list_hq_jobs(client: AsyncClient) -> list[PlannedJob]:
    """List the jobs of the plan as they stand. Raises: BackendError."""
    return [row.job for row in await call(client, "list_hq_jobs", {}, _JOBS)]


async def write_hq_log(
    client: AsyncClient, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]
) -> None:
    """Write a business event. Not idempotent. Raises: BackendError."""
    params = {"p_level": level, "p_source": source, "p_message": message, "p_metadata": dict(metadata)}
    await call(client, "write_hq_log", params, _NOTHING)


async def take_hq_announcements(
    client: AsyncClient, said: Sequence[str], limit: int, lease: timedelta
) -> list[Announcement]:
    """Note which announcements were said, and take the next ones. Raises: BackendError."""
    params = {"p_said": list(said), "p_limit": limit, "p_lease_seconds": lease.total_seconds()}
    return await call(client, "take_hq_announcements", params, _ANNOUNCEMENTS)


async def purge_hq_expired(client: AsyncClient) -> Purge:
    """Delete one batch of old logs, where pg_cron has not done so for a day. Idempotent. Raises: BackendError."""
    return (await call(client, "purge_hq_expired", {}, _PURGES))[0]


async def inspect_hq_backend(client: AsyncClient) -> list[Check]:
    """Examine what the workers need from the database beside our own objects. Raises: BackendError."""
    return await call(client, "inspect_hq_backend", {}, _CHECKS)


async def get_hq_schema_state(client: AsyncClient) -> SchemaState:
    """Read what the database has of ours. Raises: BackendError."""
    return (await call(client, "get_hq_schema_state", {}, _STATES))[0]
