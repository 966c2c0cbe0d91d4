"""The doctor's look at the database: what is fine, what works less well, what does not work."""

from collections.abc import Callable

import pytest
from calls import call
from support.database import Connection, Database, Row

JOB = "cron job hq-rescue-runs"

needs_pg_cron = pytest.mark.usefixtures("pg_cron")


@pytest.fixture
def pg_cron(database: Database) -> None:
    if not database.cluster.has_pg_cron:
        pytest.skip("this PostgreSQL has no pg_cron")


def _inspect(session: Connection) -> dict[str, Row]:
    return {check["name"]: check for check in call(session, "inspect_hq_backend")}


def test_a_database_at_the_newest_schema_is_all_green(service: Connection) -> None:
    checks = _inspect(service)

    assert {name: check["state"] for name, check in checks.items() if "cron" not in name} == {
        "schema variant": "green",
        "log source executive-run": "green",
        "realtime publication": "green",
        "realtime grant authenticated": "green",
        "realtime grant service_role": "green",
        "trigger on hq.runs": "green",
    }
    assert checks["schema variant"]["detail"] == "head"


def test_the_older_schema_is_known_by_its_logs(seed_database: Database) -> None:
    checks = _inspect(seed_database.sql)

    assert checks["schema variant"]["detail"].startswith("seed")
    assert checks["log source executive-run"]["state"] == "amber"
    assert "edge_function" in checks["log source executive-run"]["detail"]


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("realtime publication", "alter publication supabase_realtime drop table hq.runs"),
        ("realtime grant authenticated", "revoke usage on schema hq from authenticated"),
        ("realtime grant service_role", "revoke select (status) on hq.runs from service_role"),
        ("trigger on hq.runs", "alter table hq.runs disable trigger enqueue_inserted_run"),
        ("trigger on hq.runs", "drop trigger enqueue_inserted_run on hq.runs"),
    ],
)
def test_what_is_missing_is_amber_and_nothing_else(check: str, damage: str, database: Database) -> None:
    before = _inspect(database.sql)
    database.run(damage)

    after = _inspect(database.sql)

    assert after[check]["state"] == "amber"
    assert {name for name in after if after[name] != before[name]} == {check}


# pg_cron.


def _finish(status: str, seconds_ago: int) -> Callable[[Database], object]:
    return lambda database: database.run(
        "insert into cron.job_run_details (jobid, runid, status, username, database, command, start_time) "
        "select jobid, 1, %s, username, database, command, now() - make_interval(secs => %s) from cron.job "
        "where jobname = 'hq-rescue-runs'",
        status,
        seconds_ago,
    )


def _unschedule(database: Database) -> None:
    database.rows("select cron.unschedule('hq-rescue-runs')")


def _replace(database: Database) -> None:
    database.rows("select cron.schedule('hq-rescue-runs', '* * * * *', 'select 1')")


def _switch_off(database: Database) -> None:
    database.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = 'hq-rescue-runs'")


@needs_pg_cron
@pytest.mark.parametrize(
    ("event", "state", "detail"),
    [
        pytest.param(lambda _: None, "green", "last run not yet", id="new"),
        pytest.param(_finish("succeeded", 30), "green", "last run succeeded", id="well"),
        pytest.param(_finish("failed", 30), "amber", "last run failed", id="failed"),
        pytest.param(_finish("succeeded", 600), "amber", "last run succeeded", id="stopped"),
        pytest.param(_switch_off, "red", "switched off", id="switched off"),
        pytest.param(_replace, "red", "another command stands under this name: select 1", id="replaced"),
        pytest.param(_unschedule, "red", "run emocare migrate", id="missing"),
    ],
)
def test_the_rescue_job_is_told_as_it_is(
    event: Callable[[Database], object], state: str, detail: str, database: Database, service: Connection
) -> None:
    event(database)

    check = _inspect(service)[JOB]

    assert check["state"] == state
    assert detail in check["detail"]


@needs_pg_cron
def test_without_pg_cron_it_says_who_rescues(database: Database, service: Connection) -> None:
    with database.connect("supabase_admin") as admin:
        admin.execute("drop extension pg_cron")

    checks = _inspect(service)

    assert checks["pg_cron"]["state"] == "amber"
    assert JOB not in checks
