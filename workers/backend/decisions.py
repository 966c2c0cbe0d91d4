"""The autopilot's decisions, on top of the RPCs."""

from datetime import timedelta
from typing import Final

from supabase import AsyncClient

from workers.backend import rpc
from workers.backend.retry import retry
from workers.ports import Decision, DecisionContext, RecordedDecision, Usage

# The model has been paid by then: a restart of the backend must not cost its answer. The lease bounds it anyway.
_INSIST_FOR: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(seconds=2)


class SupabaseDecisions:
    """The decisions of ``hq``.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def begin(
        self, asked_by: str, *, fresh: timedelta, lease: timedelta, only_if_enabled: bool = False
    ) -> DecisionContext:
        """Begin a decision, or learn of the one that there is. Raises: BackendError."""
        return await rpc.begin_hq_decision(
            self._client, asked_by, fresh=fresh, lease=lease, only_if_enabled=only_if_enabled
        )

    async def record(self, decision_id: int, decision: Decision, usage: Usage) -> RecordedDecision:
        """Launch what the rules still allow, and write it down. Raises: BackendError."""
        return await retry(
            lambda: rpc.record_hq_decision(self._client, decision_id, decision, usage),
            within=_INSIST_FOR,
            longest_pause=_LONGEST_PAUSE,
        )
