"""Our pg_cron jobs are there once, by name; an operator's switch-off is respected; and they really tick."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from calls import expire, run_of, start
from support.database import Database, Row

from devstack.baseline import apply_baseline
from devstack.postgres import PostgresCluster
from workers import schema


def _register(database: Database) -> bool:
    registered: bool = database.one("select hq.register_cron_jobs() as done")["done"]
    return registered


def _jobs(database: Database) -> list[Row]:
    return database.rows("select * from cron.job where jobname like 'hq-%' order by jobname")


@pytest.fixture
def scheduled(database: Database) -> Database:
    if not database.cluster.has_pg_cron:
        pytest.skip("this PostgreSQL has no pg_cron")
    return database


def test_the_job_is_there_once_however_often_it_is_registered(scheduled: Database) -> None:
    assert _register(scheduled)
    schema.apply(scheduled.url)

    (job,) = _jobs(scheduled)
    assert (job["jobname"], job["schedule"], job["active"]) == ("hq-rescue-runs", "* * * * *", True)
    assert (job["command"], job["username"]) == ("select public.rescue_hq_runs()", "postgres")


def test_a_job_that_was_changed_gets_its_command_again(scheduled: Database) -> None:
    scheduled.rows("select cron.schedule('hq-rescue-runs', '0 3 * * *', 'select 1')")

    _register(scheduled)

    (job,) = _jobs(scheduled)
    assert (job["schedule"], job["command"]) == ("* * * * *", "select public.rescue_hq_runs()")


def test_an_operators_switch_off_survives_the_next_migration(scheduled: Database) -> None:
    scheduled.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = 'hq-rescue-runs'")

    schema.apply(scheduled.url)

    (job,) = _jobs(scheduled)
    assert not job["active"]


def test_the_hosts_jobs_are_left_alone(scheduled: Database) -> None:
    query = "select * from cron.job where jobname not like 'hq-%' order by jobid"
    before = scheduled.rows(query)

    _register(scheduled)

    assert scheduled.rows(query) == before


def test_without_pg_cron_it_says_so_and_the_migration_goes_on(database: Database) -> None:
    with database.connect("supabase_admin") as admin:
        admin.execute("drop extension if exists pg_cron")

    assert not _register(database)
    assert not schema.apply(database.url).changed


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[Database]:
    """Give pg_cron its own server, whose cron database is the HQ's: the session's must stay cloneable."""
    with PostgresCluster.start(tmp_path / "postgres", ephemeral=True) as cluster:
        if not cluster.has_pg_cron:
            pytest.skip("this PostgreSQL has no pg_cron")
        apply_baseline(cluster.dsn("postgres", "supabase_admin"), "head")
        schema.apply(cluster.dsn("postgres"))
        database = Database(cluster, "postgres")
        yield database
        database.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_pg_cron_really_rescues_a_run_whose_worker_died(ticking: Database) -> None:
    run_id = start(ticking)["run_id"]
    expire(ticking)

    while run_of(ticking, run_id)["status"] != "pending":
        time.sleep(0.5)

    tick = (
        "select status, return_message from cron.job_run_details where command like '%rescue%' and end_time is not null"
    )
    while not (ticks := ticking.rows(tick)):
        time.sleep(0.1)
    assert ticks[0]["status"] == "succeeded", ticks
