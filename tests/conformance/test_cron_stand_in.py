"""Where PostgreSQL has no pg_cron, the stand-in registers and runs the same jobs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.database import Database

from devstack import cron
from devstack.baseline import apply_baseline
from devstack.postgres import PostgresCluster
from workers import schema

MONDAY_SEVEN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
# Only what runs every minute is due.
A_QUIET_MINUTE = MONDAY_SEVEN + timedelta(minutes=1)


@pytest.fixture
def database_without_pg_cron(cluster: PostgresCluster) -> Iterator[Database]:
    cluster.clone("template0", "without_pg_cron")
    admin_url = cluster.dsn("without_pg_cron", "supabase_admin")
    cron.install_stand_in(admin_url)
    apply_baseline(admin_url, "seed")
    schema.apply(cluster.dsn("without_pg_cron", "postgres"))
    database = Database(cluster, "without_pg_cron")
    yield database
    database.close()
    cluster.drop("without_pg_cron")


@pytest.mark.parametrize(
    ("schedule", "is_due"),
    [
        ("* * * * *", True),
        ("0 7 * * 1", True),
        ("*/10 * * * *", True),
        ("0 6-8 * * 1-5", True),
        ("0,30 7 23 11 *", True),
        ("1 7 * * *", False),
        ("0 7 * * 0", False),
        ("5-59/10 * * * *", False),
        ("30 seconds", False),
    ],
)
def test_a_schedule_is_due_as_cron_reads_it(schedule: str, is_due: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert cron.is_due(schedule, MONDAY_SEVEN) is is_due


def test_our_own_job_is_registered_and_runs_as_its_user(database_without_pg_cron: Database) -> None:
    hq = database_without_pg_cron
    hq.run("insert into hq.runs (run_type, status) values ('SEO_AUDIT', 'failed')")
    hq.run("update hq.runs set status = 'pending'")

    cron.run_due_jobs(hq.cluster.dsn(hq.name, "supabase_admin"), A_QUIET_MINUTE)

    (detail,) = hq.rows("select username, status, command from cron.job_run_details where command like '%rescue%'")
    assert detail == {"username": "postgres", "status": "succeeded", "command": "select public.rescue_hq_runs()"}
    assert hq.one("select count(*) as n from hq.run_queue")["n"] == 1


def test_a_job_that_fails_is_told_and_spares_the_others(database_without_pg_cron: Database) -> None:
    hq = database_without_pg_cron
    hq.rows("select cron.schedule('broken', '* * * * *', 'select 1 / 0')")

    cron.run_due_jobs(hq.cluster.dsn(hq.name, "supabase_admin"), A_QUIET_MINUTE)

    reported = {row["command"]: row["status"] for row in hq.rows("select command, status from cron.job_run_details")}
    assert reported.pop("select 1 / 0") == "failed"
    assert reported["select public.rescue_hq_runs()"] == "succeeded"
    assert set(reported.values()) == {"succeeded"}


def test_a_job_is_switched_off_and_removed_by_name(database_without_pg_cron: Database) -> None:
    hq = database_without_pg_cron
    admin_url = hq.cluster.dsn(hq.name, "supabase_admin")
    hq.rows("select cron.alter_job(jobid, active => false) from cron.job")
    assert cron.run_due_jobs(admin_url, A_QUIET_MINUTE) == 0

    schema.apply(hq.url)
    assert hq.one("select active from cron.job where jobname = 'hq-rescue-runs'") == {"active": False}
    assert hq.one("select cron.unschedule('hq-rescue-runs') as gone") == {"gone": True}
    with psycopg.connect(admin_url) as admin:
        assert admin.execute("select count(*) from cron.job where jobname = 'hq-rescue-runs'").fetchone() == (0,)


def test_our_purge_commits_batch_by_batch_here_too(database_without_pg_cron: Database) -> None:
    hq = database_without_pg_cron
    hq.run("insert into hq.structured_logs (message, created_at) values ('old', now() - interval '31 days')")

    cron.run_due_jobs(hq.cluster.dsn(hq.name, "supabase_admin"), MONDAY_SEVEN)

    reported = {row["command"]: row["status"] for row in hq.rows("select command, status from cron.job_run_details")}
    assert reported["call hq.purge_expired()"] == "succeeded"
    assert hq.rows("select from hq.structured_logs where message = 'old'") == []
