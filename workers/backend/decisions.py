"""The autopilot's decisions: begun, recorded with what they launch, and read back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.fenced_writes import dump_bills
from workers.backend.retry import retry
from workers.backend.rpc import OneRow, Rows, call
from workers.ports import Bills, Clock, Decision, DecisionContext, JournalledDecision, RecordedDecision

# The model has been paid by then: a restart of the backend must not lose its answer. The lease bounds this anyway.
_RETRY_FOR: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(seconds=2)

_CONTEXTS = OneRow(TypeAdapter(DecisionContext))
_RECORDED = OneRow(TypeAdapter(RecordedDecision))
_JOURNAL = Rows(TypeAdapter(JournalledDecision), key="decision_id")


class SupabaseDecisions:
    """The decisions of ``hq``.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def begin(
        self, asked_by: str, *, fresh: timedelta, lease: timedelta, only_if_enabled: bool = False
    ) -> DecisionContext:
        """Begin a decision, or return the existing one. Not idempotent: its lease expires. Raises: BackendError."""
        params = {
            "p_asked_by": asked_by,
            "p_fresh_seconds": fresh.total_seconds(),
            "p_lease_seconds": lease.total_seconds(),
            "p_only_if_enabled": only_if_enabled,
        }
        return await call(self._client, "begin_hq_decision", params, _CONTEXTS)

    async def record(self, decision_id: int, decision: Decision, bills: Bills) -> RecordedDecision:
        """Launch what the rules still allow, and record the decision. Idempotent. Raises: BackendError."""
        params = {
            "p_decision_id": decision_id,
            "p_decided_by": decision.decided_by,
            "p_reasoning": decision.reasoning,
            "p_run_types": list(decision.run_types),
            "p_next_check_in_minutes": decision.next_check_in_minutes,
            "p_refused": list(decision.refused),
            "p_usage": dump_bills(bills),
        }
        return await retry(
            lambda: call(self._client, "record_hq_decision", params, _RECORDED),
            clock=self._clock,
            within=_RETRY_FOR,
            longest_pause=_LONGEST_PAUSE,
        )

    async def read_journal(self, limit: int) -> Sequence[JournalledDecision]:
        """Read the latest decisions, newest first. Raises: BackendError."""
        params = {"p_limit": limit}
        return await call(self._client, "get_hq_autopilot_journal", params, _JOURNAL)
