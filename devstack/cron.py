"""What stands in for pg_cron where PostgreSQL has none: the same tables and functions, ticked from here.

Only the embedded PostgreSQL needs it. Jobs are registered by the same SQL as with pg_cron and run with the same
rights; only the clock that triggers them differs.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

_log = logging.getLogger("devstack")

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


def install_stand_in(admin_url: str) -> None:
    """Create the tables and functions of pg_cron in a database, as its superuser; harmless when they exist."""
    with psycopg.connect(admin_url) as connection:
        connection.execute(Path(__file__).with_name("cron.sql").read_bytes())


class Ticker:
    """Runs the due jobs of one database at every full minute, until stopped."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick_until_stopped, name="cron", daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self) -> None:
        """Stop ticking, after the job that runs."""
        self._stopping.set()
        self._thread.join()

    def _tick_until_stopped(self) -> None:
        while True:
            now = datetime.now(UTC)
            minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
            if self._stopping.wait((minute - now).total_seconds()):
                return
            try:
                run_due_jobs(self._admin_url, minute)
            except psycopg.Error as error:
                _log.warning("cron: %s", error)


def run_due_jobs(admin_url: str, minute: datetime) -> int:
    """Run the jobs that are due at a minute (UTC), each in a session of its own user; return how many."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        jobs = connection.execute("select jobid, schedule, command, username from cron.job where active").fetchall()
    due = [(jobid, command, username) for jobid, schedule, command, username in jobs if is_due(schedule, minute)]
    for jobid, command, username in due:
        _run_job(admin_url, jobid, command, username)
    return len(due)


def is_due(schedule: str, minute: datetime) -> bool:
    """Return whether a five-field schedule covers a minute; unlike in cron, both day fields must match."""
    moment = (minute.minute, minute.hour, minute.day, minute.month, minute.isoweekday() % 7)
    fields = schedule.split()
    return len(fields) == len(moment) and all(
        value in _expand(field, *bounds) for field, value, bounds in zip(fields, moment, _RANGES, strict=True)
    )


def _expand(field: str, lowest: int, highest: int) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = lowest if first == "*" else int(first)
        end = highest if first == "*" or (step and not last) else int(last or first)
        values |= set(range(start, end + 1, int(step or 1)))
    return values


def _run_job(admin_url: str, jobid: int, command: str, username: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        started = connection.execute("select clock_timestamp()").fetchone()
        connection.execute("select set_config('session_authorization', %s, false)", [username])
        try:
            status, message = "succeeded", connection.execute(command.encode()).statusmessage
        except psycopg.Error as error:
            status, message = "failed", str(error)
        connection.execute("reset session authorization")
        connection.execute(
            "insert into cron.job_run_details (jobid, database, username, command, status, return_message, start_time,"
            " end_time) values (%s, current_database(), %s, %s, %s, %s, %s, clock_timestamp())",
            [jobid, username, command, status, message, *(started or [None])],
        )
