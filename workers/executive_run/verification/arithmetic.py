"""Arithmetic that a sentence shows: a result stands when its operands do."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind

_SHOWN: Final = re.compile(
    r"[=\u00d7÷*/+]|\bsoit\b|\bdonc\b|\becart|\bdifference|\btotal|\bmoyen|\bpart\b|\bsur\b|\bcontre\b|\brapport|"
    r"\bmultipli|\bannualis|"
    r"\brepresente|\bpar (?:jour|mois|an|abonne|client|plateforme)|\bdivis|\bmoins\b|\bplus\b|\bfois\b|\bhausse|"
    r"\bbaisse|\bprogress|\brecul|\bde plus\b"
)
_MOST_OPERANDS: Final = 8
_DAY: Final = Decimal(86_400)
_HUNDRED: Final = Decimal(100)


def results_from(figure: Figure, operands: Sequence[Figure], sentence: str) -> bool:
    """Return whether a figure is a sum, difference, product, ratio, share or change of others in its sentence."""
    if not figure.values or not _SHOWN.search(sentence):
        return False
    given = [operand for operand in operands if operand.values and operand.start != figure.start][-_MOST_OPERANDS:]
    same = [operand.value for operand in given if operand.kind is figure.kind]
    if len(same) > 1 and figure.matches(sum(same, Decimal(0))):
        return True
    return any(
        figure.matches(result) for one, other in permutations(given, 2) for result in _results(figure, one, other)
    )


def is_age_of(figure: Figure, others: Sequence[Figure], today: date) -> bool:
    """Return whether a duration is how long ago a day is that its sentence names, or how far ahead."""
    if figure.kind is not Kind.DURATION or figure.unit != "seconds":
        return False
    days = figure.value / _DAY
    return any(
        abs(abs((today - day).days) - days) <= 1
        for other in others
        if other.kind is Kind.DATE and (day := _day_of(other.unit, today)) is not None
    )


def _day_of(unit: str, today: date) -> date | None:
    try:
        return date.fromisoformat(unit.replace("*", str(today.year)))
    except ValueError:
        return None


def _results(figure: Figure, one: Figure, other: Figure) -> Iterator[Decimal]:
    a, b = one.value, other.value
    if one.kind is other.kind is figure.kind:
        yield a + b
        yield a - b
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
