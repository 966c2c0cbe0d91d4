"""The recurring revenue of the last thirteen months as a few lines: a point a week, then a point a month."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from shared.french import format_count, format_date, format_money
from workers.ports import FinanceSnapshot

_WEEKLY: Final = 90
_MONTHS: Final = 10
_WEEK: Final = timedelta(days=7)
_FEWEST: Final = 2
"""Points that make a series."""


def describe_series(days: Sequence[FinanceSnapshot], today: date, currency: str) -> list[str]:
    """Describe the days before today, newest first, in one currency; nothing where there are fewer than two points.

    Shape: at most 12 weekly and 10 monthly points, because thirteen months are kept; where a day is unknown, the
    nearest one before it within a week.
    """
    known = {each.day: each for each in days if each.currency.lower() == currency.lower() and each.day < today}
    points = list(dict.fromkeys(point for day in _wanted(today) if (point := _nearest(known, day)) is not None))
    if len(points) < _FEWEST:
        return []
    return [
        "Historique du MRR (« reconstitué » : d'après les dates des abonnements, aux prix d'aujourd'hui) :",
        *map(_describe, points),
    ]


def _wanted(today: date) -> Iterator[date]:
    """Yield a day a week for ninety days, then the last day of each month before."""
    for week in range(1, _WEEKLY // _WEEK.days + 1):
        yield today - week * _WEEK
    last = today - timedelta(days=_WEEKLY)
    for _ in range(_MONTHS):
        last = last.replace(day=1) - timedelta(days=1)
        yield last


def _nearest(known: dict[date, FinanceSnapshot], day: date) -> FinanceSnapshot | None:
    days = (day - timedelta(days=back) for back in range(_WEEK.days))
    return next((known[each] for each in days if each in known), None)


def _describe(point: FinanceSnapshot) -> str:
    subscriptions = format_count(point.active_subscriptions, "abonnement actif", "abonnements actifs")
    kind = "" if point.measured else " (reconstitué)"
    return f"- {format_date(point.day)} : {format_money(point.mrr, point.currency)}, {subscriptions}{kind}"
