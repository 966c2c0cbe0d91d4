"""What reports read from the database besides runs and platforms."""

from collections.abc import Sequence
from datetime import date

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import OneRow, Rows, call
from workers.ports import (
    CatalogueCounts,
    CatalogueEntry,
    CostLine,
    HistoryTotals,
    MatterCounts,
    OpenMatter,
    TypeHistory,
)

_CATALOGUE = Rows(TypeAdapter(CatalogueEntry), key="object_name")
_CATALOGUE_COUNTS = OneRow(TypeAdapter(CatalogueCounts))
_HISTORY = Rows(TypeAdapter(TypeHistory), key="run_type")
_HISTORY_TOTALS = OneRow(TypeAdapter(HistoryTotals))
_MATTERS = Rows(TypeAdapter(OpenMatter), key="title")
_MATTER_COUNTS = OneRow(TypeAdapter(MatterCounts))
_COSTS = Rows(TypeAdapter(CostLine), key="key")


class SupabaseReader:
    """Reads the HQ for its sources. A call that fails is not repeated here: what it would have read becomes a gap."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read_catalogue(self) -> Sequence[CatalogueEntry]:
        """Read who may access what, by names alone. Raises: BackendError."""
        return await call(self._client, "read_hq_catalogue", {}, _CATALOGUE)

    async def count_catalogue(self) -> CatalogueCounts:
        """Count what the catalogue holds. Raises: BackendError."""
        return await call(self._client, "count_hq_catalogue", {}, _CATALOGUE_COUNTS)

    async def read_run_history(self, days: int) -> Sequence[TypeHistory]:
        """Read how the runs of the last days went, by type. Raises: BackendError."""
        return await call(self._client, "read_hq_run_history", {"p_days": days}, _HISTORY)

    async def sum_run_history(self, days: int) -> HistoryTotals:
        """Sum how the runs of the last days went. Raises: BackendError."""
        return await call(self._client, "sum_hq_run_history", {"p_days": days}, _HISTORY_TOTALS)

    async def read_open_matters(self, platform_key: str | None) -> Sequence[OpenMatter]:
        """Read what is waiting for a person, on one platform or on all. Raises: BackendError."""
        params = {"p_platform_key": platform_key}
        return await call(self._client, "read_hq_open_matters", params, _MATTERS)

    async def count_open_matters(self, platform_key: str | None) -> MatterCounts:
        """Count what is waiting for a person, on one platform or on all. Raises: BackendError."""
        params = {"p_platform_key": platform_key}
        return await call(self._client, "count_hq_open_matters", params, _MATTER_COUNTS)

    async def read_costs(self, month: date | None = None) -> Sequence[CostLine]:
        """Read what the reports of a month cost. Raises: BackendError."""
        params = {"p_month": month and month.isoformat()}
        return await call(self._client, "get_hq_ai_costs", params, _COSTS)
