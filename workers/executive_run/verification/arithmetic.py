"""Arithmetic that a sentence shows: a result stands when its operands do."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind

_SHOWN: Final = re.compile(
    r"\bensemble\b|[=\u00d7÷*/+]|\bsoit\b|\bdonc\b|\becart|\bdifference|\btotal|\bmoyen|\bpart\b|\bsur\b|\bcontre\b|\brapport|"
    r"\bmultipli|\bannualis|"
    r"\brepresente|\bpar (?:jour|mois|an|abonne|client|plateforme)|\bdivis|\bmoins\b|\bplus\b|\bfois\b|\bhausse|"
    r"\bbaisse|\bprogress|\brecul|\bde plus\b"
)
_UNTIL_END: Final = re.compile(r"\bfin (?:du|de|d')|\brest|avant la cloture")
_MOST_OPERANDS: Final = 8
_DAY: Final = Decimal(86_400)
_HUNDRED: Final = Decimal(100)


def results_from(figure: Figure, operands: Sequence[Figure], sentence: str) -> bool:
    """Return whether a figure is a sum, difference, product, ratio, share or change of others in its sentence."""
    is_precise = figure.kind in {Kind.MONEY, Kind.PERCENT} and figure.quantum < 1
    if not figure.values or not (is_precise or _SHOWN.search(sentence)):
        return False
    given = [operand for operand in operands if operand.values and operand.start != figure.start][-_MOST_OPERANDS:]
    same = [operand.value for operand in given if operand.kind is figure.kind]
    if any(figure.matches(sum(same[-count:], Decimal(0))) for count in range(2, len(same) + 1)):
        return True
    return any(
        figure.matches(result) for one, other in permutations(given, 2) for result in _results(figure, one, other)
    )


def is_age_of(figure: Figure, others: Sequence[Figure], today: date, sentence: str) -> bool:
    """Return whether a duration is how far away a day is that its sentence names, or the end of the period."""
    if figure.kind is not Kind.DURATION or figure.unit != "seconds":
        return False
    days = figure.value / _DAY
    if _UNTIL_END.search(sentence) and any(0 <= (end - today).days - days <= 1 for end in _ends(today)):
        return True
    return any(
        0 <= abs((today - day).days) - days <= 1
        for other in others
        if other.kind is Kind.DATE and (day := _day_of(other.unit, today)) is not None
    )


def _ends(today: date) -> Iterator[date]:
    """Yield the last day of the month, the quarter and the year."""
    for month in (today.month, -(-today.month // 3) * 3, 12):
        year, following = divmod(month, 12)
        yield date(today.year + year, following + 1, 1) - timedelta(days=1)


def _day_of(unit: str, today: date) -> date | None:
    try:
        return date.fromisoformat(unit.replace("*", str(today.year)))
    except ValueError:
        return None


def _results(figure: Figure, one: Figure, other: Figure) -> Iterator[Decimal]:
    a, b = one.value, other.value
    yield from _between_shares(figure, one, other)
    if one.kind is other.kind is figure.kind:
        yield a + b
        yield a - b
    if one.kind is other.kind is Kind.COUNT and b and not (one.noun or other.noun):
        # A bare formula: « (79 / 12) », « (4 x 19) ».
        yield a / b
        yield a * b
    if one.kind is other.kind and b:
        if figure.kind is Kind.PERCENT:
            yield _HUNDRED * a / b
            yield _HUNDRED * (a - b) / b
        if figure.kind is Kind.COUNT:
            yield a / b
    if other.kind in {Kind.COUNT, Kind.DURATION} and one.kind is figure.kind:
        count = b if other.kind is Kind.COUNT or other.unit == "months" else b / _DAY
        yield a * count
        if count:
            yield a / count
    if other.kind is Kind.PERCENT and one.kind is figure.kind:
        yield a * b / _HUNDRED
        yield a * (_HUNDRED + b) / _HUNDRED
        yield a * (_HUNDRED - b) / _HUNDRED


def _between_shares(figure: Figure, one: Figure, other: Figure) -> Iterator[Decimal]:
    """Yield what two shares differ by, in points, and the share that differs from one by so many points."""
    if figure.kind is Kind.POINTS and one.kind is other.kind is Kind.PERCENT:
        yield one.value - other.value
    if figure.kind is Kind.PERCENT and one.kind is Kind.PERCENT and other.kind is Kind.POINTS:
        yield one.value + other.value
        yield one.value - other.value
