"""The stored history of the earnings, day by day."""

from collections.abc import Sequence
from datetime import date

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import Rows, call, call_void
from workers.ports import FinanceSnapshot

_SNAPSHOTS = Rows(TypeAdapter(FinanceSnapshot), key="day")


class SupabaseFinanceHistory:
    """``hq.finance_snapshots``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(self, since: date, *, figures_since: date) -> Sequence[FinanceSnapshot]:
        """Read the days from ``since`` on, newest first; all figures only from ``figures_since`` on.

        Raises: BackendError.
        """
        params = {"p_since": since.isoformat(), "p_figures_since": figures_since.isoformat()}
        return await call(self._client, "read_hq_finance_snapshots_v2", params, _SNAPSHOTS)

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Store days. Idempotent. Raises: BackendError."""
        params = {"p_snapshots": [each.model_dump(mode="json") for each in snapshots]}
        await call_void(self._client, "record_hq_finance_snapshots", params)
