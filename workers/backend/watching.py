"""What workers keep of the company beside its runs: its earnings, its sites, and whose turn it is to look."""

from collections.abc import Sequence
from datetime import date, timedelta

from supabase import AsyncClient

from workers.backend import rpc
from workers.ports import FinanceSnapshot, SiteCheck


class SupabasePeriodicLeases:
    """Turns among all workers of this database."""

    def __init__(self, client: AsyncClient, *, worker_id: str) -> None:
        self._client = client
        self._worker_id = worker_id

    async def take(self, name: str, every: timedelta) -> bool:
        """Take the turn if nobody did in that time; tell whether it is ours. Raises: BackendError."""
        return await rpc.take_hq_turn(self._client, name, self._worker_id, every)


class SupabaseFinanceHistory:
    """``hq.finance_snapshots``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(self, since: date) -> Sequence[FinanceSnapshot]:
        """Read the days since then, newest first. Raises: BackendError."""
        return await rpc.read_hq_finance_snapshots(self._client, since)

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        """Keep days. Idempotent. Raises: BackendError."""
        await rpc.record_hq_finance_snapshots(self._client, snapshots)


class SupabaseSiteLog:
    """``hq.platform_checks``, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def record_checks(self, checks: Sequence[SiteCheck]) -> None:
        """Keep checks and what follows from them. Raises: BackendError."""
        await rpc.record_hq_platform_checks(self._client, checks)
