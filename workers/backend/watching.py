"""What workers keep of the company beside its runs: its earnings and its sites; and which worker looks at them."""

from collections.abc import Sequence
from datetime import date, timedelta

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import call, call_void
from workers.ports import FinanceSnapshot, SiteCheck

_BOOL = TypeAdapter(bool)
_SNAPSHOTS = TypeAdapter(list[FinanceSnapshot])


class SupabasePeriodicLeases:
    """Leases of periodic tasks, among all workers of this database."""

    def __init__(self, client: AsyncClient, *, worker_id: str) -> None:
        self._client = client
        self._worker_id = worker_id

    async def take(self, name: str, every: timedelta) -> bool:
        """Take a task's lease, if nobody has in that time; return whether it is ours. Raises: BackendError."""
        params = {"p_name": name, "p_worker_id": self._worker_id, "p_every_seconds": every.total_seconds()}
        return await call(self._client, "take_hq_turn", params, _BOOL)


class SupabaseFinanceHistory:
    """``hq.finance_snapshots``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(self, since: date) -> Sequence[FinanceSnapshot]:
        """Read the days since then, newest first. Raises: BackendError."""
        return await call(self._client, "read_hq_finance_snapshots", {"p_since": since.isoformat()}, _SNAPSHOTS)

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Keep days. Idempotent. Raises: BackendError."""
        params = {"p_snapshots": [each.model_dump(mode="json") for each in snapshots]}
        await call_void(self._client, "record_hq_finance_snapshots", params)


class SupabaseSiteLog:
    """``hq.platform_checks``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        """Keep checks of sites, and what follows from them. Not idempotent. Raises: BackendError."""
        params = {"p_checks": [each.model_dump(mode="json", exclude={"url", "checked_at"}) for each in checks]}
        await call_void(self._client, "record_hq_platform_checks", params)
