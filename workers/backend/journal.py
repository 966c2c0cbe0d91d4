"""What the screens show beside runs: events of the business, the history of the jobs, and the door for jobs."""

from collections.abc import Mapping, Sequence
from typing import cast

import structlog
from pydantic import JsonValue
from supabase import AsyncClient

from shared.errors import BackendError
from workers.backend import rpc
from workers.logs import redact_fields
from workers.ports import LastRun, RunRequest, RunTicket

log = structlog.get_logger(__name__)


class SupabaseJournal:
    """The journal, the history and the door of ``hq``, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event, without secrets; one that cannot be written is told in the logs instead."""
        try:
            kept = {key: cast("JsonValue", value) for key, value in redact_fields(metadata).items()}
            await rpc.write_hq_log(self._client, level, source, message, kept)
        except BackendError as error:
            log.warning("journal.failed", message=message, error_code=error.code, error_message=str(error))

    async def read_last_runs(self, run_types: Sequence[str]) -> Mapping[str, LastRun]:
        """Read the latest finished run of each type that has one. Raises: BackendError."""
        return {run.run_type: run for run in await rpc.list_hq_last_runs(self._client, run_types)}

    async def ask(self, request: RunRequest) -> RunTicket:
        """Ask for a run and do not wait for it. Raises: CallerError, BackendError."""
        return await rpc.request_hq_run(self._client, request)
