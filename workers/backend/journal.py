"""The structured logs that the screens show: written, listed, purged."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

import structlog
from pydantic import JsonValue, TypeAdapter
from supabase import AsyncClient

from shared.errors import BackendError
from workers.backend.rpc import OneRow, Rows, call, call_void
from workers.logs import redact_fields, redact_text
from workers.ports import LogLine, Purge

log = structlog.get_logger(__name__)

_LINES = Rows(TypeAdapter(LogLine), key="id")
_PURGES = OneRow(TypeAdapter(Purge))


class SupabaseJournal:
    """``hq.structured_logs``, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event, without secrets; one that cannot be written is logged instead. Not idempotent."""
        kept = {key: cast("JsonValue", value) for key, value in redact_fields(metadata).items()}
        params = {"p_level": level, "p_source": source, "p_message": redact_text(message), "p_metadata": kept}
        try:
            await call_void(self._client, "write_hq_log", params)
        except BackendError as error:
            log.warning("journal.failed", message=message, error_code=error.code, error_message=str(error))

    async def list_latest(
        self, *, limit: int, run_id: UUID | None, level: str | None, after: datetime | None
    ) -> list[LogLine]:
        """List the lines, newest first. Raises: BackendError."""
        params = {
            "p_limit": limit,
            "p_run_id": run_id and str(run_id),
            "p_level": level,
            "p_after": after and after.isoformat(),
        }
        return await call(self._client, "list_hq_logs", params, _LINES)

    async def list_from(
        self, begin: datetime | None, *, after_id: str | None, run_id: UUID | None, level: str | None
    ) -> list[LogLine]:
        """List a page of the lines written from a moment on, oldest first; of that moment, those after an id.

        Shape: 500 lines at most; more may follow unless it is empty.
        Raises: BackendError.
        """
        params = {
            "p_from": begin and begin.isoformat(),
            "p_after_id": after_id,
            "p_run_id": run_id and str(run_id),
            "p_level": level,
        }
        return await call(self._client, "follow_hq_logs", params, _LINES)

    async def purge(self) -> Purge:
        """Delete one batch of old lines, where pg_cron has not done so for a day. Idempotent. Raises: BackendError."""
        return await call(self._client, "purge_hq_expired", {}, _PURGES)
