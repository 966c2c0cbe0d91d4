"""What workers watch for the company, whoever asks for runs: its earnings, its sites, and whose turn it is to look."""

from collections.abc import Sequence
from datetime import date, timedelta

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc._call import call
from workers.ports import FinanceSnapshot, SiteCheck

_SNAPSHOTS = TypeAdapter(list[FinanceSnapshot])
_BOOL = TypeAdapter(bool)
_NOTHING = TypeAdapter(None)


async def take_hq_turn(client: AsyncClient, name: str, worker_id: str, every: timedelta) -> bool:
    """Take the turn of a periodic piece of work, if nobody did in that time. Raises: BackendError."""
    params = {"p_name": name, "p_worker_id": worker_id, "p_every_seconds": every.total_seconds()}
    return await call(client, "take_hq_turn", params, _BOOL)


async def read_hq_finance_snapshots(client: AsyncClient, since: date) -> list[FinanceSnapshot]:
    """Read the earnings of each day since then, newest first. Raises: BackendError."""
    return await call(client, "read_hq_finance_snapshots", {"p_since": since.isoformat()}, _SNAPSHOTS)


async def record_hq_finance_snapshots(client: AsyncClient, snapshots: Sequence[FinanceSnapshot]) -> None:
    """Keep the earnings of some days. Idempotent. Raises: BackendError."""
    params = {"p_snapshots": [each.model_dump(mode="json") for each in snapshots]}
    await call(client, "record_hq_finance_snapshots", params, _NOTHING)


async def record_hq_platform_checks(client: AsyncClient, checks: Sequence[SiteCheck]) -> None:
    """Keep checks of sites, and what follows from them. Not idempotent. Raises: BackendError."""
    params = {"p_checks": [each.model_dump(mode="json", exclude={"url", "checked_at"}) for each in checks]}
    await call(client, "record_hq_platform_checks", params, _NOTHING)
