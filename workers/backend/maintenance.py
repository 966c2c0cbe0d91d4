"""Checks that cron or a page asks for."""

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc import OneRow, call
from workers.ports import BudgetCheck, PushTriggers

_BUDGET = OneRow(TypeAdapter(BudgetCheck))
_TRIGGERS = OneRow(TypeAdapter(PushTriggers))


class SupabaseMaintenance:
    """Checks in the database, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def check_budget(self) -> BudgetCheck:
        """Compare the month's cost with its budget, and warn of it once a day. Raises: BackendError."""
        return await call(self._client, "check_hq_ai_budget", {}, _BUDGET)

    async def look_for_push_triggers(self) -> PushTriggers:
        """Look at what people should know, at most once a minute. Raises: BackendError."""
        return await call(self._client, "look_for_hq_push_triggers", {}, _TRIGGERS)

    async def look(self) -> None:
        """Look because it is time to. Raises: BackendError."""
        await self.look_for_push_triggers()
