"""Reading the earnings; the tests of record_hq_finance_snapshots cover what is kept, and how."""

from support.calls import call
from support.database import Connection


def test_before_anything_was_read_there_is_nothing(service: Connection) -> None:
    assert call(service, "read_hq_finance_snapshots_v2", since="2000-01-01") == []


def test_the_figures_behind_a_day_come_only_from_a_day_on(service: Connection) -> None:
    days = [
        {
            "day": f"2026-11-{number}",
            "taken_at": f"2026-11-{number}T08:00:00Z",
            "measured": True,
            "currency": "eur",
            "mrr": number,
            "active_subscriptions": 3,
            "churn_rate": 1,
            "figures": {"rules": number},
        }
        for number in (19, 20, 21)
    ]
    call(service, "record_hq_finance_snapshots", snapshots=days)

    read = call(service, "read_hq_finance_snapshots_v2", since="2026-11-19", figures_since="2026-11-20")

    assert [(int(row["mrr"]), row["figures"]) for row in read] == [
        (21, {"rules": 21}),
        (20, {"rules": 20}),
        (19, None),
    ]
