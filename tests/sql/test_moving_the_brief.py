"""The brief comes at 8 h every day; whoever got today's at 7 h gets no second one on the day of the upgrade."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.database import Database
from support.plan import HOUR, PARIS, look, slots_of, wind

from workers.schema.bridges import BRIDGES

NAME = "0022_move_brief_to_eight"
MIGRATION = Path(__file__).parents[2] / "sql" / "migrations" / f"{NAME}.sql"
STATEMENTS = [BRIDGES[NAME], MIGRATION.read_text()]
JOB = "daily_brief"


@pytest.fixture
def eight(database: Database) -> datetime:
    """Put the plan back to what it was before, and let 8 h of today be in an hour, by the zone that Paris is in."""
    database.run("delete from hq.plan_slots")
    database.run("update hq.scheduled_jobs set enabled = key = %s", JOB)
    database.run(
        "update hq.scheduled_jobs set default_hours = '{7}', default_weekdays = '{1,2,3,4,5}' where key = %s", JOB
    )
    now = datetime.now(UTC).astimezone(PARIS)
    return now.replace(hour=8, minute=0, second=0, microsecond=0)


def upgrade(database: Database, at: datetime) -> None:
    """Upgrade as it would have been done at that moment; somebody looks at the plan after each commit."""
    for statement in STATEMENTS:
        with database.sql.transaction():
            database.run(statement.replace("now()", f"timestamptz '{at.isoformat()}'"))
        look(database.sql, at + timedelta(seconds=1))


def outcomes(database: Database) -> list[tuple[datetime, str]]:
    return [(row["slot_at"], row["outcome"]) for row in slots_of(database, JOB)]


def test_who_got_the_brief_at_seven_gets_no_second_one_today(database: Database, eight: datetime) -> None:
    database.run("update hq.scheduled_jobs set default_weekdays = '{1,2,3,4,5,6,7}'")
    wind(database, eight - 2 * HOUR)
    look(database.sql, eight - HOUR)
    database.run("update hq.runs set status = 'completed', completed_at = now() - interval '1 minute'")
    database.run("delete from hq.run_queue")

    upgrade(database, eight - HOUR / 2)
    look(database.sql, eight + HOUR / 2)
    look(database.sql, eight + timedelta(days=1, minutes=1))

    assert outcomes(database) == [
        (eight - HOUR, "fired"),
        (eight, "skipped"),
        (eight + timedelta(days=1), "fired"),
    ]


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=59), timedelta(minutes=40)])
def test_an_upgrade_just_after_eight_brings_no_second_one_either(
    database: Database, eight: datetime, late: timedelta
) -> None:
    """The plan was last looked at before 8, a minute ago or when its clock stopped."""
    database.run("update hq.scheduled_jobs set default_weekdays = '{1,2,3,4,5,6,7}'")
    wind(database, eight - 2 * HOUR)
    look(database.sql, eight - HOUR)
    database.run("update hq.runs set status = 'completed', completed_at = now() - interval '1 minute'")
    database.run("delete from hq.run_queue")
    look(database.sql, eight - timedelta(seconds=1))

    upgrade(database, eight + late)
    look(database.sql, eight + late + timedelta(seconds=30))

    assert outcomes(database) == [(eight - HOUR, "fired"), (eight, "skipped")]


def test_who_got_none_gets_it_at_eight(database: Database, eight: datetime) -> None:
    wind(database, eight - 2 * HOUR)

    upgrade(database, eight - 3 * HOUR / 2)
    look(database.sql, eight - HOUR / 2)
    look(database.sql, eight + HOUR / 2)

    assert outcomes(database) == [(eight, "fired")]


def test_an_hour_that_an_operator_chose_stays(database: Database, eight: datetime) -> None:
    database.run("update hq.scheduled_jobs set hours = '{6}', weekdays = '{1,2,3,4,5,6,7}' where key = %s", JOB)
    wind(database, eight - 3 * HOUR)
    look(database.sql, eight - HOUR)

    upgrade(database, eight - HOUR / 2)
    look(database.sql, eight + HOUR)

    assert outcomes(database) == [(eight - 2 * HOUR, "fired")]
