"""The earnings, day by day: a day is there once, and what was measured stands."""

from support.calls import call, race, refused
from support.database import Connection, Database, Row


def snapshot(day: str, mrr: str = "100.00", *, measured: bool = True, hour: int = 8, **more: object) -> Row:
    return {
        "day": day,
        "taken_at": f"{day}T{hour:02}:00:00+00:00",
        "measured": measured,
        "currency": "eur",
        "mrr": mrr,
        "active_subscriptions": 3,
        "churn_rate": "1.50",
        "figures": {"mrr": mrr} if measured else None,
    } | more


def record(session: Connection, *snapshots: Row) -> None:
    call(session, "record_hq_finance_snapshots", snapshots=list(snapshots))


def days(session: Connection, since: str = "2000-01-01") -> list[Row]:
    return call(session, "read_hq_finance_snapshots_v2", since=since)


def test_days_are_read_newest_first_since_a_day(service: Connection) -> None:
    record(service, snapshot("2026-11-20"), snapshot("2026-11-22"), snapshot("2026-11-21", measured=False))

    read = days(service, "2026-11-21")

    assert [str(row["day"]) for row in read] == ["2026-11-22", "2026-11-21"]
    assert (str(read[0]["mrr"]), read[0]["figures"], read[1]["figures"]) == ("100.00", {"mrr": "100.00"}, None)


def test_recording_again_changes_nothing(service: Connection) -> None:
    for _ in range(2):
        record(service, snapshot("2026-11-20"), snapshot("2026-11-19", measured=False))

    assert len(days(service)) == 2


def test_of_two_measures_of_a_day_the_later_one_paid_periods(service: Connection) -> None:
    record(service, snapshot("2026-11-20", "1", hour=9))
    record(service, snapshot("2026-11-20", "2", hour=17))
    record(service, snapshot("2026-11-20", "3", hour=8))

    assert [str(row["mrr"]) for row in days(service)] == ["2.00"]


def test_a_measure_replaces_a_reconstruction_and_never_the_other_way(service: Connection) -> None:
    record(service, snapshot("2026-11-20", "1", measured=False, hour=22))
    record(service, snapshot("2026-11-20", "2", hour=9))
    record(service, snapshot("2026-11-20", "3", measured=False, hour=22))

    assert [(str(row["mrr"]), row["measured"]) for row in days(service)] == [("2.00", True)]


def test_workers_that_record_at_once_leave_each_day_once(database: Database) -> None:
    wanted = [snapshot(f"2026-10-{day:02}") for day in range(1, 31)]

    race(
        lambda: database.as_caller("service_role"),
        [lambda session, order=order: record(session, *order) for order in (wanted, wanted[::-1]) * 3],  # type: ignore[misc]
    )

    assert database.one("select count(*) as n from hq.finance_snapshots")["n"] == 30


def test_what_is_no_list_is_refused(service: Connection) -> None:
    with refused("22023"):
        call(service, "record_hq_finance_snapshots", snapshots={"day": "2026-11-20"})
