"""Our pg_cron jobs are there once, by name; an operator's switch-off is respected; and they really tick."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.calls import expire, run_of, start
from support.database import Database, Row
from support.extensions import need_extension
from support.plan import let_a_slot_come

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
    need_extension(database.cluster, "pg_cron")
    return database


def test_each_job_is_there_once_however_often_it_is_registered(scheduled: Database) -> None:
    assert _register(scheduled)
    schema.apply(scheduled.url)

    found = {job["jobname"]: job for job in _jobs(scheduled)}
    assert {name: job["command"] for name, job in found.items()} == {
        "hq-enqueue-due-runs": "select public.enqueue_due_hq_runs()",
        "hq-rescue-runs": "select public.rescue_hq_runs()",
    }
    assert {(job["schedule"], job["active"], job["username"]) for job in found.values()} == {
        ("* * * * *", True, "postgres")
    }


def test_a_job_that_was_changed_gets_its_command_again(scheduled: Database) -> None:
    scheduled.rows("select cron.schedule('hq-rescue-runs', '0 3 * * *', 'select 1')")

    _register(scheduled)

    (job,) = [job for job in _jobs(scheduled) if job["jobname"] == "hq-rescue-runs"]
    assert (job["schedule"], job["command"]) == ("* * * * *", "select public.rescue_hq_runs()")


def test_an_operators_switch_off_survives_the_next_migration(scheduled: Database) -> None:
    scheduled.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = 'hq-rescue-runs'")

    schema.apply(scheduled.url)

    assert {job["jobname"]: job["active"] for job in _jobs(scheduled)} == {
        "hq-enqueue-due-runs": True,
        "hq-rescue-runs": False,
    }


def test_the_hosts_jobs_are_left_alone(scheduled: Database) -> None:
    query = (
        "select j.* from cron.job as j left join hq.list_cron_jobs() as ours on ours.name = j.jobname "
        "where ours.name is null order by j.jobid"
    )
    before = scheduled.rows(query)

    _register(scheduled)

    assert scheduled.rows(query) == before
    assert before


@pytest.mark.parametrize("when", ["at the installation", "by a later migration of the host"])
def test_the_hosts_purge_gives_its_name_to_ours_and_the_migration_says_so(
    when: str, clone: Callable[[str], Database]
) -> None:
    database = clone("head" if when == "at the installation" else "head_hq")
    need_extension(database.cluster, "pg_cron")
    database.rows("select cron.schedule('purge-old-hq-logs', '0 3 * * *', 'select hq.purge_old_logs()')")

    report = schema.apply(database.url)

    jobs = database.rows("select schedule, command from cron.job where jobname = 'purge-old-hq-logs'")
    assert jobs == [{"schedule": "*/10 * * * *", "command": "call hq.purge_expired()"}]
    assert any("select hq.purge_old_logs()" in notice for notice in report.notices)
    assert schema.apply(database.url).notices == []


def test_without_pg_cron_it_says_so_and_the_migration_goes_on(database: Database) -> None:
    with database.connect("supabase_admin") as admin:
        admin.execute("drop extension if exists pg_cron")

    assert not _register(database)
    assert not schema.apply(database.url).changed


@pytest.fixture
def ticking(tmp_path: Path) -> Iterator[Database]:
    """Give pg_cron its own server, whose cron database is the HQ's: the session's must stay cloneable."""
    with PostgresCluster.start(tmp_path / "postgres", ephemeral=True) as cluster:
        need_extension(cluster, "pg_cron")
        apply_baseline(cluster.dsn("postgres", "supabase_admin"), "head")
        schema.apply(cluster.dsn("postgres"))
        database = Database(cluster, "postgres")
        yield database
        database.close()


@pytest.mark.slow
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


@pytest.mark.slow
def test_pg_cron_really_purges_batch_by_batch(ticking: Database) -> None:
    """Only pg_cron itself shows that its command may commit: in a transaction of its own making it could not."""
    ticking.run(
        "insert into hq.structured_logs (message, created_at) "
        "select 'old', now() - interval '31 days' from generate_series(1, 5000)"
    )
    ticking.rows("select cron.alter_job(jobid, '* * * * *') from cron.job where jobname = 'purge-old-hq-logs'")

    purged = "select metadata from hq.structured_logs where message = 'logs.purged'"
    while not (reported := ticking.rows(purged)):
        time.sleep(0.2)

    assert reported[0]["metadata"]["deleted"] == 5000
    assert ticking.rows("select from hq.structured_logs where message = 'old'") == []
    tick = "select status from cron.job_run_details where command like 'call%' and end_time is not null"
    while not (ticks := ticking.rows(tick)):
        time.sleep(0.1)
    assert ticks[0]["status"] == "succeeded"


def _ended(database: Database, command: str) -> list[Row]:
    """Wait for the first end of a job that runs this, and return its ends."""
    query = "select * from cron.job_run_details where command like %s and end_time is not null order by runid"
    while not (ends := database.rows(query, f"%{command}%")):
        time.sleep(0.2)
    return ends


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pg_cron_really_fires_the_plan_once_though_others_look_too(ticking: Database) -> None:
    let_a_slot_come(ticking, "daily_brief")
    schema.apply(ticking.url)

    (ended, *_) = _ended(ticking, "enqueue_due")
    ticking.rows("select * from public.enqueue_due_hq_runs()")

    assert ended["status"] == "succeeded", ended
    (slot,) = ticking.rows("select * from hq.plan_slots where outcome = 'fired'")
    (run,) = ticking.rows("select * from hq.runs")
    assert (slot["run_id"], run["owner_requested"]) == (run["id"], False)
    checks = {check["name"]: check["state"] for check in ticking.rows("select * from hq.inspect_cron_jobs()")}
    assert checks["cron job hq-enqueue-due-runs"] == "green"
    assert ticking.one("select state from hq.inspect_plan()")["state"] == "green"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_job_that_really_fails_is_reported(ticking: Database) -> None:
    ticking.run("drop function public.enqueue_due_hq_runs")

    (ended, *_) = _ended(ticking, "enqueue_due")

    assert (ended["status"], "does not exist" in ended["return_message"]) == ("failed", True)
    (check,) = ticking.rows("select * from hq.inspect_cron_jobs() where name like '%enqueue%'")
    assert (check["state"], "last run failed" in check["detail"]) == ("amber", True)
