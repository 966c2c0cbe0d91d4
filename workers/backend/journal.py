"""What the screens show beside runs: events of the business, the plan and its history."""

from collections.abc import Mapping, Sequence
from typing import cast

import structlog
from pydantic import JsonValue
from supabase import AsyncClient

from shared.errors import BackendError
from workers.backend import rpc
from workers.logs import redact_fields, redact_text
from workers.ports import LastRun, PlannedJob, Slot

log = structlog.get_logger(__name__)


class SupabaseJournal:
    """The journal, the plan and the history of ``hq``, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event, without secrets; one that cannot be written is told in the logs instead."""
        try:
            kept = {key: cast("JsonValue", value) for key, value in redact_fields(metadata).items()}
            await rpc.write_hq_log(self._client, level, source, redact_text(message), kept)
        except BackendError as error:
            log.warning("journal.failed", message=message, error_code=error.code, error_message=str(error))

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""
        return {run.run_type: run for run in await rpc.list_hq_last_runs(self._client, run_types)}

    async def read_jobs(self) -> Sequence[PlannedJob]:
        """Read the jobs of the plan as they stand. Raises: BackendError."""
        return await rpc.list_hq_jobs(self._client)

    async def fire_due(self) -> Sequence[Slot]:
        """Fire what is due of the plan; return the slots that this call decided. Raises: BackendError."""
        return await rpc.enqueue_due_hq_runs(self._client)
