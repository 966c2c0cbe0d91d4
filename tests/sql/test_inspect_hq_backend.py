"""The doctor's look at the database: what is fine, what works less well, what does not work."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from support.calls import call
from support.database import Connection, Database, Row
from support.extensions import has_extension, need_extension
from support.plan import wind

from shared.registry import REGISTRY_VERSION, RUN_TYPES
from workers import schema

CRON_JOBS = ("hq-rescue-runs", "hq-enqueue-due-runs")

needs_pg_cron = pytest.mark.usefixtures("pg_cron")


@pytest.fixture
def pg_cron(database: Database) -> None:
    need_extension(database.cluster, "pg_cron")


def _inspect(session: Connection) -> dict[str, Row]:
    return {check["name"]: check for check in call(session, "inspect_hq_backend")}


def test_a_database_at_the_newest_schema_is_all_green(database: Database, service: Connection) -> None:
    wind(database, datetime.now(UTC))
    checks = _inspect(service)

    apart = ("cron job", "host ")
    ours = {name: check["state"] for name, check in checks.items() if not name.startswith(apart)}
    assert ours == {
        "schema variant": "green",
        "log source executive-run": "green",
        "realtime publication": "green",
        "realtime grant authenticated": "green",
        "realtime grant service_role": "green",
        "trigger on hq.runs": "green",
        "run types": "green",
        "workers": "amber",
        "oldest waiting run": "green",
        "closed doors": "green",
        "log retention": "green",
        "channels": "amber",
        "devices": "amber",
        "indexes of the large tables": "green",
        "plan": "green",
    } | ({} if has_extension(database.cluster, "pg_cron") else {"pg_cron": "amber"})
    assert checks["schema variant"]["detail"] == "head"


def test_each_check_has_a_code_and_each_of_several_a_subject(database: Database, service: Connection) -> None:
    database.run("drop function public.cancel_hq_run")
    need_extension(database.cluster, "pg_cron")
    checks = call(service, "inspect_hq_backend_v2")

    several = {(check["code"], check["subject"], check["name"]) for check in checks if check["subject"] is not None}
    codes = [check["code"] for check in checks if check["subject"] is None]
    assert {code for code, _, _ in several} == {"realtime_grant", "function", "cron_job", "host_fault"}
    assert {
        ("realtime_grant", "authenticated", "realtime grant authenticated"),
        ("function", "cancel_hq_run", "function cancel_hq_run"),
        ("cron_job", "hq-rescue-runs", "cron job hq-rescue-runs"),
        ("host_fault", "get_hq_slo_status", "host get_hq_slo_status"),
    } <= several
    assert sorted(codes) == sorted(set(codes))
    assert {"run_types", "workers", "plan", "closed_doors"} <= set(codes)


def test_a_check_is_recognised_by_its_code_whatever_it_is_called(database: Database) -> None:
    """An operator's sentence must not depend on the wording of the doctor."""
    for private in ("plan", "cron_jobs", "host"):
        (source,) = database.rows("select pg_get_functiondef(%s::regproc) as text", f"hq.inspect_{private}")
        database.run(source["text"].replace("'plan',", "'the calendar',", 1).replace("'closed doors'", "'doors'"))

    named = {row["controle"] for row in database.rows("select controle from hq.health")}

    assert {"Plan des exécutions", "Portes fermées"} <= named
    assert not {"the calendar", "doors"} & named


@pytest.mark.parametrize(
    ("version", "count", "state"),
    [
        (REGISTRY_VERSION, len(RUN_TYPES), "green"),
        (REGISTRY_VERSION, len(RUN_TYPES) + 1, "amber"),
        ("another", len(RUN_TYPES), "amber"),
        (None, None, "green"),
    ],
)
def test_run_types_are_compared_with_those_the_caller_knows(
    version: str | None, count: int | None, state: str, service: Connection
) -> None:
    checks = call(service, "inspect_hq_backend_v2", registry_version=version, run_types=count)

    (check,) = [check for check in checks if check["code"] == "run_types"]
    assert check["state"] == state
    wanted = f", wanted {count} of registry {version}: run emocare migrate"
    assert check["detail"].partition(f"{len(RUN_TYPES)} of registry {REGISTRY_VERSION}")[2] == (
        wanted if state == "amber" else ""
    )


def test_the_older_schema_is_known_by_its_logs(seed_database: Database) -> None:
    checks = _inspect(seed_database.sql)

    assert checks["schema variant"]["detail"].startswith("seed")
    assert checks["log source executive-run"]["state"] == "amber"
    assert "edge_function" in checks["log source executive-run"]["detail"]


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        *(("indexes of the large tables", f"drop index hq.{index}") for index in schema.read_indexes()),
        (
            "indexes of the large tables",
            "drop index hq.runs_created; create index some_runs on hq.runs (created_at) where status = 'pending'",
        ),
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


@pytest.mark.parametrize(
    ("damage", "detail"),
    [
        ("revoke execute on function public.claim_hq_runs from service_role", "service_role may not execute it"),
        ("drop function public.claim_hq_runs", "missing"),
    ],
)
def test_a_function_that_workers_cannot_call_is_red(damage: str, detail: str, database: Database) -> None:
    database.run(damage)

    check = _inspect(database.sql)["function claim_hq_runs"]

    assert check["state"] == "red"
    assert detail in check["detail"]


def test_the_run_types_are_counted(database: Database, service: Connection) -> None:
    database.run("delete from hq.run_types where key = 'SEO_AUDIT'")
    assert _inspect(service)["run types"]["detail"] == f"{len(RUN_TYPES) - 1} of registry {REGISTRY_VERSION}"

    database.run("delete from hq.run_types")
    assert _inspect(service)["run types"]["state"] == "red"


def test_workers_that_live_are_told(database: Database, service: Connection) -> None:
    database.run(
        "insert into hq.worker_heartbeats (worker_id, version, concurrency, running, realtime, started_at, seen_at) "
        "values ('a', '1.0', 8, 0, 'live', now(), now()), "
        "('b', '0.9', 8, 0, 'live', now(), now() - interval '2 minutes')"
    )

    check = _inspect(service)["workers"]

    assert (check["state"], check["detail"]) == ("green", "1 seen in the last minute: 1.0 live")


@pytest.mark.parametrize(("seconds", "state"), [(-60, "green"), (30, "green"), (90, "amber")])
def test_a_due_run_that_waits_long_is_amber(seconds: int, state: str, database: Database, service: Connection) -> None:
    database.run("insert into hq.runs (run_type) values ('SEO_AUDIT')")
    database.run("update hq.run_queue set run_at = now() - make_interval(secs => %s)", seconds)

    assert _inspect(service)["oldest waiting run"]["state"] == state


# pg_cron.


def _finish(status: str, seconds_ago: int) -> Callable[[Database, str], object]:
    return lambda database, job: database.run(
        "insert into cron.job_run_details (jobid, runid, status, username, database, command, start_time) "
        "select jobid, 1, %s, username, database, command, now() - make_interval(secs => %s) from cron.job "
        "where jobname = %s",
        status,
        seconds_ago,
        job,
    )


def _forget(database: Database, job: str) -> None:
    """Let the job have been registered an hour ago, and never have run."""
    del job
    database.run("update hq.worker_migrations set applied_at = now() - interval '1 hour'")


def _unschedule(database: Database, job: str) -> None:
    database.rows("select cron.unschedule(%s)", job)


def _replace(database: Database, job: str) -> None:
    database.rows("select cron.schedule(%s, '* * * * *', 'select 1')", job)


def _switch_off(database: Database, job: str) -> None:
    database.rows("select cron.alter_job(jobid, active := false) from cron.job where jobname = %s", job)


@needs_pg_cron
@pytest.mark.parametrize("job", CRON_JOBS)
@pytest.mark.parametrize(
    ("event", "state", "detail"),
    [
        pytest.param(lambda *_: None, "green", "last run not yet", id="new"),
        pytest.param(_finish("succeeded", 30), "green", "last run succeeded", id="well"),
        pytest.param(_finish("failed", 30), "amber", "last run failed", id="failed"),
        pytest.param(_finish("succeeded", 150), "amber", "pg_cron has stopped running it", id="stopped"),
        pytest.param(_finish("running", 150), "amber", "pg_cron has stopped running it", id="hung"),
        pytest.param(_forget, "amber", "last run not yet: pg_cron has stopped", id="never ran"),
        pytest.param(_switch_off, "red", "switched off", id="switched off"),
        pytest.param(_replace, "red", "another command stands under this name: select 1", id="replaced"),
        pytest.param(_unschedule, "red", "run emocare migrate", id="missing"),
    ],
)
def test_each_cron_job_is_told_as_it_is(
    event: Callable[[Database, str], object],
    state: str,
    detail: str,
    job: str,
    database: Database,
    service: Connection,
) -> None:
    database.run("update hq.worker_migrations set applied_at = now()")
    event(database, job)

    check = _inspect(service)[f"cron job {job}"]

    assert check["state"] == state
    assert detail in check["detail"]


@needs_pg_cron
def test_without_pg_cron_it_says_who_rescues(database: Database, service: Connection) -> None:
    with database.connect("supabase_admin") as admin:
        admin.execute("drop extension pg_cron")

    checks = _inspect(service)

    assert checks["pg_cron"]["state"] == "amber"
    assert not [name for name in checks if name.startswith("cron job")]


# The plan.


@pytest.mark.parametrize(
    ("change", "state", "detail"),
    [
        (
            "update hq.plan_clock set passed_until = now() - interval '10 minutes'",
            "red",
            "nobody has looked at it since",
        ),
        (
            "update hq.plan_clock set passed_until = now() + interval '2 hours'",
            "amber",
            "ahead of the clock: no slot comes before; update hq.plan_clock set passed_until = now();",
        ),
        ("update hq.plan_clock set passed_until = now() + interval '1 year'", "red", "puts it right"),
        ("update hq.plan_clock set passed_until = 'infinity'", "red", "puts it right"),
        ("delete from hq.plan_clock", "red", "insert into hq.plan_clock"),
        ("select hq.pause_runs()", "amber", "held: paused"),
        (
            "update hq.system_config set value = '{\"monthly_target_eur\": 0}' where key = 'ai_budget'",
            "amber",
            "budget",
        ),
        (
            "insert into hq.plan_slots (job_key, slot_at, reason) values ('daily_brief', now(), 'no room')",
            "amber",
            "daily_brief: no room",
        ),
        ("update hq.scheduled_jobs set enabled = false where key = 'daily_brief'", "green", "4 jobs enabled"),
    ],
)
def test_the_plan_is_told_as_it_is(
    change: str, state: str, detail: str, database: Database, service: Connection
) -> None:
    wind(database, datetime.now(UTC))
    database.run(change)

    check = _inspect(service)["plan"]

    assert check["state"] == state
    assert detail in check["detail"]
