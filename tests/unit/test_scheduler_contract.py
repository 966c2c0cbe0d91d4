"""When a job is due, and how it is shown."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.registry import JOBS
from shared.runs import RunId, RunStatus
from workers.ai_scheduler.contract import is_due, render_job, render_state
from workers.ports import LastRun

BRIEF = JOBS["daily_brief"]


def ran(moment: datetime) -> LastRun:
    return LastRun(run_id=RunId(uuid4()), run_type=BRIEF.run_type, status=RunStatus.FAILED, completed_at=moment)


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (datetime(2026, 7, 6, 5, 0, tzinfo=UTC), True),  # a Monday in summer: 7 h in Paris
        (datetime(2026, 7, 6, 5, 59, tzinfo=UTC), True),
        (datetime(2026, 7, 6, 6, 0, tzinfo=UTC), False),
        (datetime(2026, 1, 5, 6, 0, tzinfo=UTC), True),  # and in winter
        (datetime(2026, 1, 5, 5, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 5, 5, 0, tzinfo=UTC), False),  # a Sunday
    ],
)
def test_a_job_is_due_in_its_hour_of_paris(moment: datetime, due: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_due(BRIEF, None, moment) is due


def test_a_job_that_has_run_today_is_not_due_again() -> None:
    now = datetime(2026, 7, 6, 5, 30, tzinfo=UTC)

    assert not is_due(BRIEF, ran(datetime(2026, 7, 6, 5, 1, tzinfo=UTC)), now)
    # Yesterday in London, today in Paris.
    assert not is_due(BRIEF, ran(datetime(2026, 7, 5, 22, 30, tzinfo=UTC)), now)
    assert is_due(BRIEF, ran(datetime(2026, 7, 5, 21, 30, tzinfo=UTC)), now)


def test_days_and_hours_are_written_as_the_panel_reads_them() -> None:
    shown = render_job(BRIEF)

    assert shown["cronExpression"] == "0 7 * * 1,2,3,4,5"
    assert shown["schedule"] == {"hours": [7], "days": [1, 2, 3, 4, 5]}
    assert (shown["runType"], shown["priority"], shown["enabled"]) == ("DAILY_EXECUTIVE_BRIEF", "high", True)


def test_a_last_run_always_comes_with_its_end() -> None:
    moment = datetime(2026, 7, 3, 5, 1, tzinfo=UTC)

    shown = render_state(BRIEF, {BRIEF.run_type: ran(moment)}, moment)
    never = render_state(BRIEF, {}, moment)

    assert shown["lastRun"] is not None
    assert shown["lastRun"]["completedAt"] == moment.isoformat()  # type: ignore[index, call-overload]
    assert never["lastRun"] is None
