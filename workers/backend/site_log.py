"""The stored checks of the platforms' sites."""

from collections.abc import Sequence

from supabase import AsyncClient

from workers.backend.rpc import call_void
from workers.ports import SiteCheck


class SupabaseSiteLog:
    """``hq.platform_checks``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        """Store checks of sites, and what follows from them. Not idempotent. Raises: BackendError."""
        params = {"p_checks": [each.model_dump(mode="json", exclude={"url", "checked_at"}) for each in checks]}
        await call_void(self._client, "record_hq_platform_checks", params)
