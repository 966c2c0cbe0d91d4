"""The plan as a test sets it and reads it, and an oracle that reads calendars without PostgreSQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from support.database import Connection, Database, Row, rows

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)
EVERY_HOUR = list(range(24))
EVERY_DAY = list(range(1, 8))

Slots = set[tuple[str, datetime]]


@dataclass(frozen=True)
class PlannedHours:
    """What a job's calendar says."""

    key: str
    hours: Sequence[int]
    weekdays: Sequence[int]


@cache
def _instants(year: int) -> list[tuple[tuple[date, int], datetime]]:
    """List what the clock of Paris shows at every full hour of a year and its neighbours' edges, in order of time."""
    first = datetime(year - 1, 12, 1, tzinfo=UTC)
    moments = [first + n * HOUR for n in range((365 + 64) * 24)]
    return [((shown.date(), shown.hour), moment) for moment in moments for shown in [moment.astimezone(PARIS)]]


def slots_between(jobs: Iterable[PlannedHours], start: datetime, end: datetime) -> Slots:
    """Tell the slots in (start, end], by looking at the clock at each hour as a person would."""
    found: Slots = set()
    for job in jobs:
        waited: set[tuple[date, int]] = set()
        previous: tuple[date, int] | None = None
        for (day, hour), moment in _instants(start.astimezone(PARIS).year):
            # What the clock jumped over is due now; what it shows a second time was due the first time.
            shown = {(day, h) for h in range(previous[1] + 1, hour)} if previous and previous[0] == day else set()
            for at in {*shown, (day, hour)} - waited:
                waited.add(at)
                if at[1] in job.hours and at[0].isoweekday() in job.weekdays and start < moment <= end:
                    found.add((job.key, moment))
            previous = (day, hour)
    return found


def due_slots(database: Database, start: datetime, end: datetime) -> Slots:
    """Ask the database the same."""
    found = database.rows("select * from hq.due_slots(%s, %s)", start, end)
    listed = [(row["job_key"], row["slot_at"].astimezone(UTC)) for row in found]
    assert len(listed) == len(set(listed)), "a slot was listed twice"
    return set(listed)


def plan(database: Database, jobs: Iterable[PlannedHours]) -> None:
    """Make these calendars the whole plan; a job that the registry lacks audits a site."""
    database.run("update hq.scheduled_jobs set enabled = false, hours = null, weekdays = null")
    for job in jobs:
        database.run(
            "insert into hq.scheduled_jobs (key, name, default_hours, default_weekdays, run_type, priority, aliases, "
            "description, registry_version) "
            "values (%s, 'A job', %s, %s, 'SEO_AUDIT', 'medium', '{}', '', 'test') "
            "on conflict (key) do update set enabled = true, hours = excluded.default_hours, "
            "weekdays = excluded.default_weekdays",
            job.key,
            list(job.hours),
            list(job.weekdays),
        )


def every_hour(database: Database, *keys: str) -> list[PlannedHours]:
    """Plan these jobs, and no others, at each hour of each day."""
    jobs = [PlannedHours(key, EVERY_HOUR, EVERY_DAY) for key in keys]
    plan(database, jobs)
    return jobs


def wind(database: Database, to: datetime | str) -> None:
    """Let the plan have been looked at up to a moment."""
    database.run("update hq.plan_clock set passed_until = %s", to)


def wind_ahead(database: Database) -> None:
    """Let no slot come, whatever the hour, unless the test winds the clock back; further ahead would be put right."""
    wind(database, datetime.now(UTC) + timedelta(days=1))


def let_a_slot_come(database: Database, key: str) -> None:
    """Plan this job, and no other, at the hour that it is in Paris, as if nobody had looked for two hours.

    That is one slot at any moment: the next hour is not planned, and one that October repeats came an hour earlier.
    """
    plan(database, [PlannedHours(key, [datetime.now(PARIS).hour], EVERY_DAY)])
    database.run("update hq.scheduled_jobs set grace_minutes = 180 where key = %s", key)
    wind(database, datetime.now(UTC) - timedelta(minutes=130))


def look(session: Connection, now: datetime | str) -> list[Row]:
    """Look at the plan as of a moment."""
    return rows(session, "select * from hq.enqueue_due_runs(%s)", now)


def slots_of(database: Database, key: str = "%") -> list[Row]:
    """Read what became of the slots, in their order."""
    return database.rows("select * from hq.plan_slots where job_key like %s order by slot_at, job_key", key)


def journal_of(database: Database, message: str = "plan.%") -> list[Row]:
    """Read what the journal says of the plan."""
    return database.rows("select * from hq.structured_logs where message like %s order by created_at, ctid", message)
