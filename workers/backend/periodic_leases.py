"""Leases of periodic tasks, not of runs: they decide which worker does a task this time."""

from datetime import timedelta

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import call

_BOOL = TypeAdapter(bool)


class SupabasePeriodicLeases:
    """Leases of periodic tasks, shared by all workers of this database."""

    def __init__(self, client: AsyncClient, *, worker_id: str) -> None:
        self._client = client
        self._worker_id = worker_id

    async def take(self, name: str, every: timedelta) -> bool:
        """Take a task's lease unless it was taken within that time; return whether it is ours. Raises: BackendError."""
        params = {"p_name": name, "p_worker_id": self._worker_id, "p_every_seconds": every.total_seconds()}
        return await call(self._client, "take_hq_turn", params, _BOOL)
