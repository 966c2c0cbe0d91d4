"""The autopilot's decisions: begun, recorded with what they launch, read again."""

from datetime import timedelta

from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.rpc._call import call
from workers.ports import Decision, DecisionContext, JournalledDecision, RecordedDecision, Usage

_CONTEXTS = TypeAdapter(list[DecisionContext])
_RECORDED = TypeAdapter(list[RecordedDecision])
_JOURNAL = TypeAdapter(list[JournalledDecision])


async def begin_hq_decision(
    client: AsyncClient, asked_by: str, *, fresh: timedelta, lease: timedelta, only_if_enabled: bool
) -> DecisionContext:
    """Begin a decision, or learn of the one that there is. Not idempotent: its lease ends. Raises: BackendError."""
    params = {
        "p_asked_by": asked_by,
        "p_fresh_seconds": fresh.total_seconds(),
        "p_lease_seconds": lease.total_seconds(),
        "p_only_if_enabled": only_if_enabled,
    }
    return (await call(client, "begin_hq_decision", params, _CONTEXTS))[0]


async def record_hq_decision(
    client: AsyncClient, decision_id: int, decision: Decision, usage: Usage
) -> RecordedDecision:
    """Launch what the rules still allow and write the decision down. Idempotent. Raises: BackendError."""
    params = {
        "p_decision_id": decision_id,
        "p_decided_by": decision.decided_by,
        "p_reasoning": decision.reasoning,
        "p_run_types": list(decision.run_types),
        "p_next_check_in_minutes": decision.next_check_in_minutes,
        "p_refused": list(decision.refused),
        "p_usage": usage.model_dump(mode="json"),
    }
    return (await call(client, "record_hq_decision", params, _RECORDED))[0]


async def get_hq_autopilot_journal(client: AsyncClient, limit: int) -> list[JournalledDecision]:
    """Read the latest decisions, newest first. Raises: BackendError."""
    return await call(client, "get_hq_autopilot_journal", {"p_limit": limit}, _JOURNAL)
