"""The slots of the plan are those that a person with a Paris clock would name, every hour of every year."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.database import Database
from support.plan import PARIS, PlannedHours, due_slots, plan, slots_between

from shared.registry import JOBS

REAL = [PlannedHours(job.key, job.calendar.hours, [int(day) for day in job.calendar.weekdays]) for job in JOBS.values()]
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 2 h in Paris becomes 3 h
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)  # 3 h in Paris becomes 2 h again
YEAR = timedelta(days=366)


@st.composite
def plans(draw: st.DrawFn) -> list[PlannedHours]:
    """Draw up to four jobs; the hours around the change of the clocks come often."""
    hours = st.lists(st.sampled_from([0, 1, 2, 2, 3, 3, 4, 7, 12, 23]), min_size=1, max_size=5)
    days = st.lists(st.integers(1, 7), min_size=1, max_size=7)
    keys = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, unique=True))
    return [PlannedHours(key, draw(hours), draw(days)) for key in keys]


@pytest.mark.parametrize("year", [2025, 2026, 2027, 2028])
def test_a_year_of_the_real_plan_is_the_oracles(year: int, database: Database) -> None:
    start = datetime(year, 1, 1, tzinfo=PARIS)

    found = due_slots(database, start, start + YEAR)

    assert found == slots_between(REAL, start, start + YEAR)
    assert len(found) > 600


@given(jobs=plans(), year=st.integers(2020, 2035), minutes=st.integers(0, 3 * 24 * 60))
@example(jobs=[PlannedHours("a", [2, 3], [7])], year=2026, minutes=0)
@example(jobs=[PlannedHours("a", [1, 2], [7])], year=2026, minutes=0)
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_year_of_any_plan_is_the_oracles(
    database: Database, jobs: list[PlannedHours], year: int, minutes: int
) -> None:
    plan(database, jobs)
    start = datetime(year, 1, 1, tzinfo=PARIS) + timedelta(minutes=minutes)
    end = start + YEAR

    wanted = slots_between(jobs, start, end)
    assert due_slots(database, start, end) == wanted


@given(jobs=plans(), cuts=st.lists(st.integers(1, 47 * 60), max_size=8), night=st.sampled_from([SPRING, AUTUMN]))
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_of_a_night_add_up_to_the_night(
    database: Database, jobs: list[PlannedHours], cuts: list[int], night: datetime
) -> None:
    plan(database, jobs)
    start, end = night - timedelta(days=1), night + timedelta(days=1)
    edges = [start, *(start + timedelta(minutes=cut) for cut in sorted(set(cuts))), end]

    pieces = [due_slots(database, since, until) for since, until in pairwise(edges)]

    assert sum(map(len, pieces)) == len(set().union(*pieces)), "two pieces share a slot"
    assert set().union(*pieces) == slots_between(jobs, start, end)


@pytest.mark.parametrize(
    ("night", "hours", "expected"),
    [
        (SPRING, [2], [SPRING]),  # there is no 2 h: it comes at 3 h
        (SPRING, [2, 3], [SPRING]),
        (SPRING, [1, 4], [SPRING - timedelta(hours=1), SPRING + timedelta(hours=1)]),
        (AUTUMN, [2], [AUTUMN - timedelta(hours=1)]),  # 2 h comes twice: the first time
        (AUTUMN, [3], [AUTUMN + timedelta(hours=1)]),
    ],
)
def test_the_night_of_the_change_fires_once(
    night: datetime, hours: list[int], expected: list[datetime], database: Database
) -> None:
    plan(database, [PlannedHours("a", hours, [7])])

    found = due_slots(database, night - timedelta(hours=6), night + timedelta(hours=6))

    assert sorted(moment for _, moment in found) == expected


def test_a_slot_belongs_to_the_interval_that_ends_with_it(database: Database) -> None:
    eight = datetime(2026, 7, 5, 6, tzinfo=UTC)  # a Sunday
    minute = timedelta(minutes=1)

    assert due_slots(database, eight - minute, eight - timedelta(microseconds=1)) == set()
    assert due_slots(database, eight - minute, eight) == {("daily_brief", eight)}
    assert due_slots(database, eight, eight + minute) == set()
    assert due_slots(database, eight + minute, eight - minute) == set()


def test_whatever_zone_the_session_is_in_the_slots_are_those_of_paris(database: Database) -> None:
    start = datetime(2026, 3, 20, tzinfo=UTC)
    wanted = slots_between(REAL, start, start + timedelta(days=20))

    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        database.run(f"set timezone = '{zone}'")
        assert due_slots(database, start, start + timedelta(days=20)) == wanted


def test_what_an_operator_sets_counts_and_clearing_it_brings_the_registry_back(database: Database) -> None:
    monday = datetime(2026, 7, 6, tzinfo=PARIS)

    def hours() -> list[int]:
        found = due_slots(database, monday, monday + timedelta(days=1))
        return sorted(at.astimezone(PARIS).hour for key, at in found if key == "daily_brief")

    seen = []
    for change in ("hours = '{6,20}'", "weekdays = '{2}'", "weekdays = null", "enabled = false", "enabled = true"):
        database.run(f"update hq.scheduled_jobs set {change} where key = 'daily_brief'")
        seen.append(hours())
    database.run("update hq.scheduled_jobs set hours = null")

    assert seen == [[6, 20], [], [6, 20], [], [6, 20]]
    assert hours() == [8]


@pytest.mark.parametrize(
    "change",
    [
        "hours = '{24}'",
        "hours = '{}'",
        "hours = '{7,null}'",
        "weekdays = '{0}'",
        "weekdays = '{8}'",
        "grace_minutes = 0",
    ],
)
def test_a_calendar_that_is_none_is_refused_in_the_table_editor(change: str, database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        database.run(f"update hq.scheduled_jobs set {change}")
