"""Logs live exactly as long as they should, and are purged without ever holding anything up."""

import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from support.calls import call
from support.database import Connection, Database, Row
from support.extensions import need_extension

LEVELS = ("info", "warn", "error", "critical")


def _log(database: Database, age: str, level: str = "info", message: str = "old", count: int = 1) -> None:
    database.run(
        "insert into hq.structured_logs (level, source, message, created_at) "
        "select %s, 'system', %s, now() - %s::interval from generate_series(1, %s)",
        level,
        message,
        age,
        count,
    )


def _left(database: Database) -> list[str]:
    """Tell which logs are left, but for those about the purge itself."""
    query = "select message from hq.structured_logs where message not like 'logs.%' order by message"
    return [row["message"] for row in database.rows(query)]


def _keep_for(database: Database, value: str) -> None:
    database.run(
        "insert into hq.system_config (key, value) values ('log_retention', %s::jsonb) "
        "on conflict (key) do update set value = excluded.value",
        value,
    )


def _reported(database: Database) -> list[Row]:
    return database.rows(
        "select level, source, message, metadata from hq.structured_logs "
        "where message like 'logs.%' order by created_at"
    )


def _fall_silent(database: Database) -> None:
    """Let pg_cron not have purged for more than a day."""
    database.run("update hq.maintenance set done_at = now() - interval '27 hours' where task = 'purge'")


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_thirty_days_exactly(variant: str, clone: Callable[[str], Database]) -> None:
    database = clone(f"{variant}_hq")
    for level in LEVELS:
        _log(database, "29 days 23:59:00", level, f"young {level}")
        _log(database, "30 days 00:01:00", level, f"old {level}")

    database.run("call hq.purge_expired()")

    assert _left(database) == sorted(f"young {level}" for level in LEVELS)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York"])
def test_a_day_has_24_hours_whatever_the_clocks_do(zone: str, database: Database) -> None:
    """Seen from the end of October, thirty days of the calendar of Paris are 721 hours."""
    database.run(f"set timezone = '{zone}'")
    days = 400  # reaches over two changes of each kind
    _keep_for(database, f'{{"days": {days}}}')
    for hours, minutes, message in ((24 * days, -1, "young"), (24 * days, 1, "old")):
        database.run(
            "insert into hq.structured_logs (message, created_at) "
            "values (%s, now() - make_interval(hours => %s, mins => %s))",
            message,
            hours,
            minutes,
        )

    database.run("call hq.purge_expired()")

    assert _left(database) == ["young"]


@pytest.mark.parametrize(
    ("setting", "left"),
    [('{"days": 7}', ["1 day", "6 days"]), ('{"days": 1}', []), ('{"days": 40}', ["1 day", "31 days", "6 days"])],
)
def test_the_period_is_a_setting(setting: str, left: list[str], database: Database) -> None:
    for age in ("1 day 00:01", "6 days", "31 days"):
        _log(database, age, message=age.removesuffix(" 00:01"))
    _keep_for(database, setting)

    database.run("call hq.purge_expired()")

    assert _left(database) == left


@pytest.mark.parametrize(
    "setting",
    ['{"days": 0}', '{"days": -1}', '{"days": 0.5}', '{"days": 1.5}', '{"days": "30"}', '{"days": null}', "{}", "30",
     '"x"', "null", "[]", '{"days": 1e300}'],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_purges_nothing_and_says_so_once(
    setting: str, database: Database, service: Connection
) -> None:
    _log(database, "3000 days")
    _keep_for(database, setting)
    _fall_silent(database)

    database.run("call hq.purge_expired()")
    database.run("call hq.purge_expired()")
    (answer,) = call(service, "purge_hq_expired")

    assert _left(database) == ["old"]
    assert (answer["deleted"], answer["more"]) == (0, False)
    (reported,) = _reported(database)
    assert (reported["level"], reported["source"], reported["message"]) == ("warn", "scheduler", "logs.purge_refused")
    (check,) = [check for check in call(service, "inspect_hq_backend") if check["name"] == "log retention"]
    assert check["state"] == "red"
    assert '{"days": n}' in check["detail"]


def test_a_refusal_is_told_again_the_next_day(database: Database) -> None:
    _keep_for(database, '{"days": 0}')
    database.run("call hq.purge_expired()")
    database.run("update hq.maintenance set told_at = told_at - interval '25 hours'")
    database.run("call hq.purge_expired()")

    assert len(_reported(database)) == 2


def test_many_batches_are_counted_in_one_log(database: Database) -> None:
    _log(database, "31 days", "info", count=4500)
    _log(database, "45 days", "error", count=2000)
    _log(database, "1 day", "info", "young")

    database.run("call hq.purge_expired()")

    assert _left(database) == ["young"]
    (reported,) = _reported(database)
    assert (reported["level"], reported["message"]) == ("info", "logs.purged")
    assert reported["metadata"] == {"deleted": 6500, "deleted_elsewhere": 0, "retention_days": 30, "complete": True}


def test_a_purge_of_nothing_writes_nothing_but_its_end(database: Database) -> None:
    _fall_silent(database)

    database.run("call hq.purge_expired()")

    assert _reported(database) == []
    assert database.one("select done_at > now() - interval '1 minute' as now from hq.maintenance") == {"now": True}


def test_what_was_purged_before_it_was_cut_short_stays_purged(database: Database) -> None:
    """Each batch commits: the row that stops the purge is in the last one, the first are gone all the same."""
    _log(database, "60 days", "info", count=4000)
    _log(database, "40 days", "info", "held")
    with database.connect() as holder, database.connect() as purger:
        holder.execute("begin; select from hq.structured_logs where message = 'held' for update")
        purger.execute("set lock_timeout = '300ms'")

        with pytest.raises(psycopg.errors.LockNotAvailable):
            purger.execute("call hq.purge_expired()")

    assert _left(database) == ["held"]
    database.run("call hq.purge_expired()")
    assert _left(database) == []


def test_two_purges_at_once_give_way_to_one_another(database: Database) -> None:
    _log(database, "60 days", count=10)
    with database.connect() as first, database.connect() as second:
        first.execute("begin; select hq.purge_logs('info', '-infinity', now(), 5)")
        second.execute("set statement_timeout = '2s'")
        second.execute("call hq.purge_expired()")
        assert len(_left(database)) == 10
        first.execute("commit")

    database.run("call hq.purge_expired()")

    assert _left(database) == []


def test_a_level_that_a_later_host_adds_is_purged_too(database: Database) -> None:
    database.run("alter table hq.structured_logs drop constraint structured_logs_level_check")
    _log(database, "31 days", "debug")

    database.run("call hq.purge_expired()")

    assert _left(database) == []


def test_logs_are_written_while_a_batch_is_deleted(database: Database) -> None:
    _log(database, "60 days", count=100)
    with database.connect() as purger:
        purger.execute("begin; select hq.purge_logs('info', '-infinity', now(), 100)")
        database.run("set lock_timeout = '100ms'")
        _log(database, "0 days", message="now")
        purger.execute("commit")

    assert _left(database) == ["now"]


def test_a_batch_walks_the_index_and_never_the_table(database: Database) -> None:
    _log(database, "1 day", "info", count=20_000)
    _log(database, "60 days", "info", count=200)
    database.run("analyze hq.structured_logs")

    plan = "\n".join(
        row["QUERY PLAN"]
        for row in database.rows(
            "explain select o.ctid from hq.structured_logs as o where o.level = 'info' and o.created_at >= '-infinity' "
            "and o.created_at < now() - interval '30 days' order by o.created_at limit 2000"
        )
    )

    # The level's own index, or, for a level that nearly all logs have, the one by date.
    assert "idx_structured_logs_level_created" in plan or "Index Scan Backward using structured_logs_created" in plan
    assert "Seq Scan" not in plan


# The rest.


def test_workers_that_are_long_gone_leave_no_trace(database: Database) -> None:
    for name, age in (("here", "23 hours"), ("gone", "25 hours")):
        database.run(
            "insert into hq.worker_heartbeats "
            "(worker_id, version, concurrency, running, realtime, started_at, seen_at) "
            "values (%s, '1', 8, 0, 'live', now(), now() - %s::interval)",
            name,
            age,
        )

    database.run("call hq.purge_expired()")

    assert [row["worker_id"] for row in database.rows("select worker_id from hq.worker_heartbeats")] == ["here"]


@pytest.mark.parametrize(
    ("table", "moment", "days"), [("platform_checks", "checked_at", 30), ("announcements", "created_at", 90)]
)
def test_checks_and_announcements_are_purged_where_there_are_any(
    table: str, moment: str, days: int, database: Database
) -> None:
    database.run(f"drop table if exists hq.{table}")
    database.run("call hq.purge_expired()")
    database.run(f"create table hq.{table} (name text, {moment} timestamptz)")
    for name, hours in (("young", 24 * days - 1), ("old", 24 * days + 1)):
        database.run(f"insert into hq.{table} values (%s, now() - make_interval(hours => %s))", name, hours)

    database.run("call hq.purge_expired()")

    assert database.rows(f"select name from hq.{table}") == [{"name": "young"}]


@pytest.fixture
def with_cron(database: Database) -> Database:
    need_extension(database.cluster, "pg_cron")
    return database


def test_what_pg_cron_tells_of_its_jobs_is_kept_for_seven_days(with_cron: Database) -> None:
    for runid, status, start, end in (
        (1, "starting", None, None),
        (2, "running", "8 days", None),
        (3, "succeeded", "7 days 00:02", "7 days 00:01"),
        (4, "succeeded", "7 days 00:01", "6 days 23:59"),
        (5, "running", "6 days 23:59", None),
        (6, "starting", None, None),
    ):
        with_cron.run(
            "insert into cron.job_run_details (runid, status, username, start_time, end_time) "
            "values (%s, %s, current_user, now() - %s::interval, now() - %s::interval)",
            runid,
            status,
            start,
            end,
        )

    with_cron.run("call hq.purge_expired()")

    assert [row["runid"] for row in with_cron.rows("select runid from cron.job_run_details order by runid")] == [
        4,
        5,
        6,
    ]


# The worker's part.


def test_a_worker_leaves_the_purge_to_pg_cron(database: Database, service: Connection) -> None:
    _log(database, "31 days")
    database.run("update hq.maintenance set done_at = now() - interval '25 hours'")

    assert call(service, "purge_hq_expired") == [{"deleted": 0, "more": False}]
    assert _left(database) == ["old"]


def test_a_worker_purges_batch_by_batch_when_pg_cron_fell_silent(database: Database, service: Connection) -> None:
    for level in LEVELS:
        _log(database, "31 days", level, count=3)
    _log(database, "29 days", message="young")
    _fall_silent(database)

    answers = [call(service, "purge_hq_expired", limit=5)[0] for _ in range(4)]

    assert [(answer["deleted"], answer["more"]) for answer in answers] == [(5, True), (5, True), (2, False), (0, False)]
    assert _left(database) == ["young"]
    assert [reported["metadata"]["complete"] for reported in _reported(database)] == [False, False, True]


def test_of_two_workers_one_purges(database: Database, service: Connection) -> None:
    _log(database, "31 days", count=3)
    _fall_silent(database)
    with database.connect() as first:
        first.execute("begin; select hq.purge_logs('info', '-infinity', now(), 1)")

        assert call(service, "purge_hq_expired") == [{"deleted": 0, "more": False}]


def test_a_purge_that_does_not_come_to_its_end_is_told_by_the_doctor(database: Database, service: Connection) -> None:
    _fall_silent(database)

    (check,) = [check for check in call(service, "inspect_hq_backend") if check["name"] == "log retention"]

    assert check["state"] == "amber"
    assert check["detail"].startswith("30 days, last purge at ")


def test_a_run_that_is_deleted_meanwhile_leaves_no_log_behind(database: Database) -> None:
    """Deleting a run rewrites its log rows; the purge then meets rows that moved, and takes them the next time."""
    (run,) = database.rows("insert into hq.runs (run_type, status) values ('SEO_AUDIT', 'completed') returning id")
    database.run(
        "insert into hq.structured_logs (message, run_id, created_at) values ('old', %s, now() - interval '31 days')",
        run["id"],
    )
    with database.connect() as deleter:
        deleter.execute("begin")
        deleter.execute("delete from hq.runs where id = %s", [run["id"]])
        purging = threading.Thread(target=database.run, args=("call hq.purge_expired()",))
        purging.start()
        while not deleter.execute("select count(*) as n from pg_locks where not granted").fetchone()["n"]:  # type: ignore[index]
            time.sleep(0.01)
        deleter.execute("commit")
        purging.join()

    database.run("call hq.purge_expired()")

    assert _left(database) == []
