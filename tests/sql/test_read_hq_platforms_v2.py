"""The managed platforms, as a worker reads them: as the owner sees them, with an availability that was measured."""

from decimal import Decimal

from support.calls import call
from support.database import Connection, Database, Row

MEASURED = ("uptime_percent", "checks", "outage_minutes", "checked_since", "checked_at")


def read_one(session: Connection, key: str = "nearvity") -> Row:
    (platform,) = call(session, "read_hq_platforms_v2", platform_key=key)
    return platform


def check(database: Database, status: str, ago: str, times: int = 1, key: str = "nearvity") -> None:
    """Record checks, five minutes apart, the latest of them so long ago, and what follows from them."""
    database.run(
        "insert into hq.platform_checks (platform_key, status, checked_at) "
        "select %s, %s, date_bin('5 minutes', now(), 'epoch') - %s::interval - n * interval '5 minutes' "
        "from generate_series(0, %s - 1) as n",
        key,
        status,
        ago,
        times,
    )
    database.run("select hq.update_platform_state(%s)", key)


def test_every_platform_is_read_by_name_as_the_owner_sees_it(service: Connection, owner: Connection) -> None:
    read = call(service, "read_hq_platforms_v2")

    seen = call(owner, "get_all_hq_platforms")
    assert len(read) == 7
    shared = [name for name in read[0] if name not in MEASURED]
    assert [{name: row[name] for name in shared} for row in read] == [
        {name: row[name] for name in shared} for row in seen
    ]


def test_the_host_may_change_the_types_of_its_columns(database: Database, service: Connection) -> None:
    before = call(service, "read_hq_platforms_v2")
    database.run("alter table hq.platforms alter column name type varchar(80)")
    database.run("alter table hq.platforms alter column uptime_percent type double precision")

    assert call(service, "read_hq_platforms_v2") == before


def test_one_platform_is_read_by_its_key(database: Database, service: Connection) -> None:
    database.run("update hq.platforms set status = 'red', status_reason = 'Panne' where key = 'nearvity'")

    platform = read_one(service)

    assert (platform["name"], platform["status"], platform["status_reason"]) == ("NEARVITY", "red", "Panne")
    assert call(service, "read_hq_platforms_v2", platform_key="atlantis") == []


def test_a_site_that_nobody_checked_has_no_availability_whatever_the_column_holds(
    database: Database, service: Connection
) -> None:
    assert database.one("select uptime_percent from hq.platforms where key = 'nearvity'")["uptime_percent"] > 99

    platform = read_one(service)

    assert [platform[name] for name in MEASURED] == [None, 0, 0, None, None]


def test_availability_comes_with_its_checks_and_the_minutes_of_outage(database: Database, service: Connection) -> None:
    check(database, "green", "2 days", times=6)
    check(database, "amber", "1 day", times=1)
    check(database, "red", "1 hour", times=1)
    check(database, "green", "1 hour", times=1)  # in the same five minutes
    check(database, "red", "5 minutes", times=2)
    check(database, "red", "0 minutes", times=50, key="med-mng")

    platform = read_one(service)

    # Of ten slots of five minutes, two and a half were down.
    assert platform["uptime_percent"] == Decimal("75.00")
    assert (platform["checks"], platform["outage_minutes"]) == (11, 13)
    assert platform["checked_since"] < platform["checked_at"]


def test_before_a_day_of_checks_there_is_no_share_but_what_was_counted(database: Database, service: Connection) -> None:
    check(database, "red", "23 hours")

    platform = read_one(service)

    assert (platform["uptime_percent"], platform["checks"], platform["outage_minutes"]) == (None, 1, 5)


def test_checks_older_than_thirty_days_or_ahead_of_the_clock_do_not_count(
    database: Database, service: Connection
) -> None:
    check(database, "red", "31 days")
    check(database, "red", "-2 hours")
    check(database, "green", "3 days")

    platform = read_one(service)

    assert (platform["uptime_percent"], platform["checks"], platform["outage_minutes"]) == (100, 1, 0)


def test_what_was_measured_last_more_than_thirty_days_ago_is_not_known(database: Database, service: Connection) -> None:
    check(database, "green", "2 days")
    database.run("update hq.platform_uptimes set checked_at = checked_at - interval '29 days'")

    assert [read_one(service)[name] for name in MEASURED] == [None, 0, 0, None, None]
