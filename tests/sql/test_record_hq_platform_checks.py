"""Checks of sites, and what follows: the platforms' state and uptime, incidents that begin and end."""

from decimal import Decimal

import pytest
from support.calls import call, race
from support.database import Connection, Database, Row, one

DOWN, SLOW = "Le site est injoignable.", "Le site met plus de 2 secondes à répondre."


def check(status: str = "green", key: str = "nearvity") -> Row:
    return {
        "platform_key": key,
        "status": status,
        "status_code": 200 if status != "red" else None,
        "response_ms": 120 if status != "red" else None,
        "reason": {"red": DOWN, "amber": SLOW}.get(status),
    }


def record(session: Connection, *checks: Row) -> None:
    call(session, "record_hq_platform_checks", checks=list(checks))


def age(database: Database, minutes: int = 5) -> None:
    """Let time pass since every check so far."""
    database.run(f"update hq.platform_checks set checked_at = checked_at - interval '{minutes} minutes'")


def watch_for_a_day(database: Database, status: str = "green", key: str = "nearvity") -> None:
    """Have the site checked once, a day and a moment ago."""
    database.run(
        "insert into hq.platform_checks (platform_key, status, checked_at) "
        "values (%s, %s, now() - interval '1 day 1 second')",
        key,
        status,
    )


def fail(database: Database, session: Connection, times: int) -> None:
    for _ in range(times):
        age(database)
        record(session, check("red"))


def platform(database: Database, key: str = "nearvity") -> Row:
    return database.one(
        "select status, status_reason, uptime_percent, updated_at from hq.platforms where key = %s", key
    )


def incidents(database: Database) -> list[Row]:
    return database.rows("select * from hq.incidents order by created_at")


@pytest.mark.parametrize("variant", ["seed_hq", "head_hq"])
def test_a_platform_shows_its_latest_check(variant: str, clone: object) -> None:
    database: Database = clone(variant)  # type: ignore[operator]
    watch_for_a_day(database, "red")
    watch_for_a_day(database, "amber", "med-mng")
    with database.as_caller("service_role") as service:
        record(service, check("red"), check("amber", "med-mng"))

    down, slow = platform(database), platform(database, "med-mng")
    assert (down["status"], down["status_reason"], down["uptime_percent"]) == ("red", DOWN, Decimal("0.00"))
    assert (slow["status"], slow["status_reason"], slow["uptime_percent"]) == ("amber", SLOW, Decimal("100.00"))


def test_each_check_says_on_the_page_how_fast_the_site_answered_and_when(
    database: Database, owner: Connection, service: Connection
) -> None:
    def read() -> Row:
        return one(owner, "select status_reason, updated_at from public.get_hq_platform('nearvity')")

    record(service, check())
    first = read()
    record(service, check())
    second = read()

    at = database.one("select to_char(now() at time zone 'Europe/Paris', 'HH24:MI') as at")["at"]
    before = database.one("select to_char(now() at time zone 'Europe/Paris' - interval '1 minute', 'HH24:MI') as at")
    assert second["status_reason"] in {f"Répond en 120 ms, contrôlé à {moment}" for moment in (at, before["at"])}
    assert second["updated_at"] > first["updated_at"]


def test_a_clock_that_is_put_back_hides_no_outage(database: Database, service: Connection) -> None:
    """Two hours of checks are then in the future, and green."""
    record(service, check())
    age(database, -120)
    watch_for_a_day(database, "red")

    fail(database, service, 4)

    assert platform(database)["status"] == "red"
    assert platform(database)["uptime_percent"] == 0
    assert [incident["status"] for incident in incidents(database)] == ["open"]


def test_uptime_is_the_share_of_five_minutes_in_which_the_site_answered(
    database: Database, service: Connection
) -> None:
    for status, minutes in (("red", 24 * 60), ("green", 5), ("green", 5)):
        record(service, check(status))
        age(database, minutes)

    assert platform(database)["uptime_percent"] == Decimal("66.67")


def test_who_looks_often_does_not_weigh_more(database: Database, service: Connection) -> None:
    slot = "date_bin('5 minutes', now(), 'epoch') - interval '{} hours'"
    for hours, status, times in ((1, "red", 1), (1, "green", 1), (26, "green", 99)):
        database.run(
            "insert into hq.platform_checks (platform_key, status, checked_at) "
            f"select 'nearvity', '{status}', {slot.format(hours)} from generate_series(1, {times})"
        )

    record(service, check())

    # Half of one slot, and two whole ones.
    assert platform(database)["uptime_percent"] == Decimal("83.33")


def test_what_is_older_than_thirty_days_does_not_count(database: Database, service: Connection) -> None:
    record(service, check("red"))
    age(database, 31 * 24 * 60 - 5)
    watch_for_a_day(database)

    record(service, check())

    assert platform(database)["uptime_percent"] == Decimal("100.00")


def test_before_a_day_of_checks_no_uptime_is_written(database: Database, service: Connection) -> None:
    """A site that was watched for an hour is not available at 100 % over thirty days."""
    database.run("update hq.platforms set uptime_percent = 99.9 where key = 'nearvity'")
    record(service, check("red"))
    age(database, 24 * 60 - 1)

    record(service, check())
    assert (platform(database)["status"], platform(database)["uptime_percent"]) == ("green", Decimal("99.90"))

    age(database, 1)
    # Within five minutes that the clock counts as one, at whatever moment the test is run.
    database.run("update hq.platform_checks set checked_at = now() where status = 'green'")
    record(service, check())
    assert platform(database)["uptime_percent"] == 50


def test_one_failure_or_two_are_no_outage(database: Database, service: Connection) -> None:
    fail(database, service, 2)

    assert incidents(database) == []


def test_three_failures_at_once_are_no_outage(database: Database, service: Connection) -> None:
    """Somebody who presses the button again and again sees one moment, not an outage."""
    for _ in range(5):
        record(service, check("red"))

    assert incidents(database) == []


def test_an_outage_opens_one_incident_however_long_it_lasts(database: Database, service: Connection) -> None:
    fail(database, service, 6)

    (incident,) = incidents(database)
    assert (incident["platform_key"], incident["severity"], incident["status"]) == ("nearvity", "high", "open")
    assert incident["title"] == "Site injoignable : NEARVITY"
    assert DOWN in incident["description"]


def test_the_incident_ends_when_the_site_is_back_and_a_new_outage_is_a_new_one(
    database: Database, service: Connection
) -> None:
    fail(database, service, 3)
    record(service, check("amber"))
    (incident,) = incidents(database)
    assert (incident["status"], incident["resolved_at"] is not None) == ("resolved", True)

    fail(database, service, 3)
    assert [row["status"] for row in incidents(database)] == ["resolved", "open"]


def test_an_incident_that_somebody_closed_stays_as_they_left_it(database: Database, service: Connection) -> None:
    fail(database, service, 3)
    database.run("update hq.incidents set status = 'closed'")
    fail(database, service, 2)
    record(service, check())

    (incident,) = incidents(database)
    assert (incident["status"], incident["resolved_at"]) == ("closed", None)
    assert database.rows("select from hq.platform_outages") == []


def test_an_incident_that_somebody_deleted_is_opened_again(database: Database, service: Connection) -> None:
    fail(database, service, 3)
    database.run("delete from hq.incidents")
    fail(database, service, 1)

    assert len(incidents(database)) == 1


def test_workers_that_record_an_outage_at_once_open_one_incident(database: Database, service: Connection) -> None:
    fail(database, service, 2)
    age(database)

    race(
        lambda: database.as_caller("service_role"),
        [lambda session: record(session, check("red"))] * 8,
    )

    assert [row["platform_key"] for row in incidents(database)] == ["nearvity"]
    assert database.one("select count(*) as n from hq.platform_checks")["n"] == 2 + 8


def test_workers_that_name_the_platforms_in_another_order_do_not_lock_each_other_out(database: Database) -> None:
    checks = [check("red"), check("red", "med-mng"), check("red", "growth-copilot")]

    race(
        lambda: database.as_caller("service_role"),
        [lambda session, order=order: record(session, *order) for order in (checks, checks[::-1]) * 4],  # type: ignore[misc]
    )

    assert database.one("select count(*) as n from hq.platform_checks")["n"] == 24


def test_a_platform_that_the_hq_does_not_know_is_passed_over(database: Database, service: Connection) -> None:
    record(service, check(), check("red", "atlantis"))

    assert [row["platform_key"] for row in database.rows("select platform_key from hq.platform_checks")] == ["nearvity"]
