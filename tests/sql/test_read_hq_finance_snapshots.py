"""Reading the earnings, as workers that were deployed earlier do."""

from support.calls import call
from support.database import Connection


def test_before_anything_was_read_there_is_nothing(service: Connection) -> None:
    assert call(service, "read_hq_finance_snapshots", since="2000-01-01") == []


def test_it_reads_what_its_successor_reads(service: Connection) -> None:
    day = {"day": "2026-11-20", "taken_at": "2026-11-20T08:00:00Z", "measured": True, "currency": "eur"}
    figures = {"mrr": 100, "active_subscriptions": 3, "churn_rate": 1, "figures": {"rules": 2}}
    call(service, "record_hq_finance_snapshots", snapshots=[day | figures])

    read = call(service, "read_hq_finance_snapshots", since="2000-01-01")

    assert [row["figures"] for row in read] == [{"rules": 2}]
    assert read == call(service, "read_hq_finance_snapshots_v2", since="2000-01-01")
