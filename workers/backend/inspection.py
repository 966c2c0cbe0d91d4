"""The state of the database itself: its schema, what the workers need of it, its queue, its messages."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import TypeAdapter
from supabase import AsyncClient

from shared.frozen import FrozenModel
from workers.backend.rpc import OneRow, Rows, call
from workers.ports import Check, DeliveryState, MonthCost, Overview, QueueState


class SchemaState(FrozenModel):
    """Which of our objects the database has."""

    migrations: dict[str, str]
    functions: dict[str, str]
    registry_version: str | None
    server_time: datetime


_STATES = OneRow(TypeAdapter(SchemaState))
_CHECKS = Rows(TypeAdapter(Check), key="name")
_QUEUE_STATES = OneRow(TypeAdapter(QueueState))
_DELIVERY_STATES = Rows(TypeAdapter(DeliveryState), key="kind")
_BUDGET_STATES = OneRow(TypeAdapter(MonthCost))
_OVERVIEW = TypeAdapter(Overview)


class SupabaseInspection:
    """Examines the database, with the service key."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read_schema(self) -> SchemaState:
        """Read which of our objects the database has. Raises: BackendError."""
        return await call(self._client, "get_hq_schema_state", {}, _STATES)

    async def check_backend(self, registry_version: str, run_types: int) -> list[Check]:
        """Check what the workers need from the database besides our own objects, and whether it has these run types.

        Raises: BackendError.
        """
        params = {"p_registry_version": registry_version, "p_run_types": run_types}
        return await call(self._client, "inspect_hq_backend_v2", params, _CHECKS)

    async def read_queue(self) -> QueueState:
        """Read how long the queue is, and how old its oldest due run. Raises: BackendError."""
        return await call(self._client, "get_hq_queue_state", {}, _QUEUE_STATES)

    async def read_deliveries(self) -> Sequence[DeliveryState]:
        """Read how the messages stand, by channels and to devices. Raises: BackendError."""
        return await call(self._client, "get_hq_delivery_state", {}, _DELIVERY_STATES)

    async def read_budget(self) -> MonthCost:
        """Read how the month's cost stands to its budget; nobody is warned by it. Raises: BackendError."""
        return await call(self._client, "get_hq_budget_state", {}, _BUDGET_STATES)

    async def read_overview(self, *, with_health: bool) -> Overview:
        """Read what an operator watches; its health is the costly part. Raises: BackendError."""
        return await call(self._client, "read_hq_overview", {"p_health": with_health}, _OVERVIEW)
