"""When a job is due, and how it and its slots are shown."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.registry import JOBS
from shared.runs import RunId, RunStatus
from workers.ai_scheduler.contract import is_due, render_job, render_slot, render_state
from workers.ports import LastRun, PlannedJob, Slot, SlotOutcome

SEVEN = datetime(2026, 7, 6, 5, 0, tzinfo=UTC)  # a Monday in summer: 7 h in Paris
BRIEF = PlannedJob(**dict(JOBS["daily_brief"]), enabled=True, due_since=None)
DUE = BRIEF.model_copy(update={"due_since": SEVEN})


def ran(moment: datetime) -> LastRun:
    return LastRun(run_id=RunId(uuid4()), run_type=BRIEF.run_type, status=RunStatus.FAILED, completed_at=moment)


def test_a_job_is_due_from_its_slot_until_a_run_of_its_type_has_ended() -> None:
    assert not is_due(BRIEF, None)
    assert is_due(DUE, None)
    assert is_due(DUE, ran(datetime(2026, 7, 6, 4, 59, 59, tzinfo=UTC)))
    assert not is_due(DUE, ran(SEVEN))
    assert not is_due(DUE, ran(datetime(2026, 7, 6, 5, 1, tzinfo=UTC)))


def test_days_and_hours_are_written_as_the_panel_reads_them() -> None:
    shown = render_job(BRIEF)

    assert shown["cronExpression"] == "0 8 * * *"
    assert shown["schedule"] == {"hours": [8], "days": [0, 1, 2, 3, 4, 5, 6]}
    review = render_job(PlannedJob(**dict(JOBS["daily_platform_review"]), enabled=True, due_since=None))
    assert review["cronExpression"] == "0 18 * * 1,2,3,4,5"
    assert review["schedule"] == {"hours": [18], "days": [1, 2, 3, 4, 5]}
    assert (shown["runType"], shown["priority"], shown["enabled"]) == ("DAILY_EXECUTIVE_BRIEF", "high", True)
    assert render_job(BRIEF.model_copy(update={"enabled": False}))["enabled"] is False


def test_a_last_run_always_comes_with_its_end() -> None:
    moment = datetime(2026, 7, 3, 5, 1, tzinfo=UTC)

    shown = render_state(BRIEF, {BRIEF.run_type: ran(moment)})
    never = render_state(BRIEF, {})

    assert shown["lastRun"] is not None
    assert shown["lastRun"]["completedAt"] == moment.isoformat()  # type: ignore[index, call-overload]
    assert never["lastRun"] is None


@pytest.mark.parametrize(
    ("outcome", "reason", "error"),
    [
        (SlotOutcome.FIRED, "created", None),
        (SlotOutcome.SKIPPED, "paused", "pause"),
        (SlotOutcome.SKIPPED, "panic", "urgence"),
        (SlotOutcome.SKIPPED, "budget_exhausted", "budget"),
        (SlotOutcome.SKIPPED, "disabled", "désactivée"),
        (SlotOutcome.MISSED, "too_late", "manqué"),
        (SlotOutcome.REFUSED, "La plateforme est inconnue.", "La plateforme est inconnue."),
    ],
)
def test_what_became_of_a_slot_is_told_in_a_sentence(outcome: SlotOutcome, reason: str, error: str | None) -> None:
    run_id = RunId(uuid4()) if outcome is SlotOutcome.FIRED else None
    slot = Slot(job_key="daily_brief", slot_at=SEVEN, outcome=outcome, reason=reason, run_id=run_id)

    shown = render_slot(slot)

    assert (shown["job"], shown["success"]) == ("daily_brief", error is None)
    if error is None:
        assert shown["result"] == {"run_id": str(run_id), "status": "pending"}
    else:
        assert error in str(shown["error"])
