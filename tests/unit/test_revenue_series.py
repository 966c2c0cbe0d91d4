"""The days before today in a few lines: which points, and in which words."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from workers.ports import FinanceSnapshot
from workers.sources.revenue_series import describe_series

TODAY = date(2026, 11, 22)


def snapshot(day: date, mrr: int = 100, *, currency: str = "eur", measured: bool = True) -> FinanceSnapshot:
    return FinanceSnapshot(
        day=day,
        taken_at=datetime(day.year, day.month, day.day, 8, tzinfo=UTC),
        measured=measured,
        currency=currency,
        mrr=Decimal(mrr),
        active_subscriptions=3,
        churn_rate=Decimal(0),
    )


def describe(*days: FinanceSnapshot) -> list[str]:
    return [line.replace("\u202f", " ").replace("\xa0", " ") for line in describe_series(days, TODAY, "eur")]


def test_a_year_is_a_point_a_week_for_ninety_days_and_a_point_a_month_before() -> None:
    lines = describe(*(snapshot(TODAY - timedelta(days=back), back) for back in range(400)))

    assert lines[0].startswith("Historique du MRR")
    assert len(lines) == 1 + 12 + 10
    assert lines[1] == "- 15 novembre 2026 : 7,00 EUR, 3 abonnements actifs"
    assert lines[12] == "- 30 août 2026 : 84,00 EUR, 3 abonnements actifs"
    assert lines[13] == "- 31 juillet 2026 : 114,00 EUR, 3 abonnements actifs"
    assert lines[14] == "- 30 juin 2026 : 145,00 EUR, 3 abonnements actifs"
    assert sum(map(len, lines)) < 1800


def test_an_unknown_day_is_replaced_by_the_nearest_before_it_and_none_stands_twice() -> None:
    lines = describe(snapshot(TODAY - timedelta(days=8), 8), snapshot(TODAY - timedelta(days=21), 21, measured=False))

    assert lines[1:] == [
        "- 14 novembre 2026 : 8,00 EUR, 3 abonnements actifs",
        "- 1er novembre 2026 : 21,00 EUR, 3 abonnements actifs (reconstitué)",
    ]


def test_one_point_or_another_currency_is_no_series() -> None:
    assert describe(snapshot(TODAY - timedelta(days=7))) == []
    dollars = [snapshot(TODAY - timedelta(days=back), currency="usd") for back in range(1, 60)]
    assert describe(snapshot(TODAY - timedelta(days=7)), *dollars) == []
    assert describe(snapshot(TODAY), snapshot(TODAY + timedelta(days=1))) == []
