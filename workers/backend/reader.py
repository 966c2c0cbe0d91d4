"""What reports read from the database beside runs and platforms, on top of the RPCs."""

from collections.abc import Sequence

from supabase import AsyncClient

from workers.backend import rpc
from workers.ports import CatalogueEntry, OpenMatter, TypeHistory


class SupabaseReader:
    """Reads the HQ for its sources. A call that fails is not repeated here: what it would tell becomes a gap."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read_catalogue(self) -> Sequence[CatalogueEntry]:
        """Read who may reach what, by names alone. Raises: BackendError."""
        return await rpc.read_hq_catalogue(self._client)

    async def read_run_history(self, days: int) -> Sequence[TypeHistory]:
        """Read how the runs of the last days went. Raises: BackendError."""
        return await rpc.read_hq_run_history(self._client, days)

    async def read_open_matters(self, platform_key: str | None) -> Sequence[OpenMatter]:
        """Read what waits for somebody. Raises: BackendError."""
        return await rpc.read_hq_open_matters(self._client, platform_key)
