"""Arithmetic that a sentence shows: a result stands when its operands do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.notation import MONTH_DAYS
from workers.executive_run.verification.numbers import seconds_of, unit_of

_SHOWN: Final = re.compile(
    r"\bensemble\b|[=\u00d7÷*/+]|\bsoit\b|\bdonc\b|\becart|\bdifference|\btotal|\bmoyen|\bpart\b|\bsur\b|\bcontre\b|\brapport|"
    r"\bmultipli|\bannualis|"
    r"\brepresente|\bpar (?:jour|mois|an|abonne|client|plateforme)|\bdivis|\bmoins\b|\bplus\b|\bfois\b|\bhausse|"
    r"\bbaisse|\bprogress|\brecul|\bde plus\b|\blaisse|\d\s?-\s?\d"
)
_ANY_OPERATOR: Final = re.compile(r"[\u00d7x*/÷+\u2212\u2013-]|\ssur\s")
_OPERATOR: Final = re.compile(
    r"[\s*()]*(?:(?P<times>[\u00d7x*])|(?P<over>[/÷]|(?<=\s)sur(?=\s))|(?P<plus>\+)|(?P<minus>[-\u2212\u2013]))[\s*()]*"
)
_PER: Final = {
    "year": re.compile(r"\b(?:par an|annue\w+|annualis\w*|sur (?:un an|douze mois|12 mois))\b"),
    "month": re.compile(r"\b(?:par mois|mensue\w+|au mois)\b"),
    "day": re.compile(r"\b(?:par jour|quotidien\w*|chaque jour)\b"),
}
"""What an amount is of, and what it is multiplied by when it is said of another time."""
_REST: Final = re.compile(r"\b(?:reste|laisse|autres?|solde|echecs?|echou\w*|sans|non|n'abouti\w*|manque|difference)\b")
_FRACTION: Final = re.compile(
    r"\b(?:(?P<count>un|deux|trois|quatre|sept|huit|neuf)\s)?(?P<of>moitie|tiers|quarts?|cinquiemes?|dixiemes?)\b"
)
_PARTS: Final = {
    "moi": Decimal("0.5"),
    "tie": Decimal(1) / 3,
    "qua": Decimal("0.25"),
    "cin": Decimal("0.2"),
    "dix": Decimal("0.1"),
}
_TIMES: Final = {"un": 1, "deux": 2, "trois": 3, "quatre": 4, "sept": 7, "huit": 8, "neuf": 9}
_NEARLY: Final = Decimal("0.05")
_MOST_OPERANDS: Final = 8
_NO_OPERANDS: Final = frozenset({Kind.STRUCTURE, Kind.CITATION, Kind.VERSION, Kind.REFERENCE, Kind.DATE, Kind.TIME})
_DAY: Final = Decimal(86_400)
_MINUTE: Final = 60
_HUNDRED: Final = Decimal(100)


def results_from(figure: Figure, operands: Sequence[Figure], sentence: str) -> bool:
    """Return whether a figure is a sum, difference, product, ratio, share or change of others in its sentence."""
    is_precise = figure.kind in {Kind.MONEY, Kind.PERCENT} and figure.quantum < 1
    if not figure.values or not (is_precise or _SHOWN.search(sentence)):
        return False
    given = [operand for operand in operands if operand.values and operand.start != figure.start][-_MOST_OPERANDS:]
    same = [operand.value for operand in given if operand.kind is figure.kind]
    if figure.kind is Kind.PERCENT and figure.matches(_HUNDRED - sum(same, Decimal(0))) and _REST.search(sentence):
        return True
    if any(figure.matches(result) for one in given for result in _alone(figure, one, sentence)):
        return True
    if any(figure.matches(sum(same[-count:], Decimal(0))) for count in range(2, len(same) + 1)):
        return True
    return any(
        figure.matches(result) for one, other in permutations(given, 2) for result in _results(figure, one, other)
    )


def results_across(figure: Figure, near: Sequence[Figure], far: Sequence[Figure]) -> bool:
    """Return whether a precise amount or share results from a figure beside it and one that stands farther off.

    Of amounts to the cent few are right by accident; of shares many are, so they are only those of a whole.
    """
    is_precise = figure.kind in {Kind.MONEY, Kind.PERCENT} and figure.quantum < 1
    is_precise = is_precise or (figure.kind is Kind.DURATION and figure.quantum <= 1 and figure.value >= _MINUTE)
    if not figure.values or not is_precise:
        return False
    pairs = [(one, other) for one in near if one.values for other in far if other.values]
    if figure.kind is Kind.PERCENT:
        return any(
            figure.matches(result)
            for one, other in pairs
            for result in (*_share(one, other), *_shifted(one, other), *_shifted(other, one))
        )
    return any(
        figure.matches(result)
        for one, other in pairs
        for result in (*_results(figure, one, other), *_results(figure, other, one))
    )


def read_formulas(figures: Sequence[Figure], folded: str) -> Iterator[tuple[tuple[Figure, ...], Decimal]]:
    """Yield each formula of a sentence: its operands, and its result in the unit that they are written in."""
    if not figures or not _ANY_OPERATOR.search(folded, figures[0].start, figures[-1].end):
        return
    numbers = [figure for figure in figures if figure.values and figure.kind not in _NO_OPERANDS]
    place = 0
    while place < len(numbers):
        chain, operators = [numbers[place]], list[str]()
        while place + 1 < len(numbers):
            found = _OPERATOR.fullmatch(folded, numbers[place].end, numbers[place + 1].start)
            if found is None or found.lastgroup is None:
                break
            place += 1
            chain.append(numbers[place])
            operators.append(found.lastgroup)
        place += 1
        if operators and (result := _evaluate([as_written(each).value for each in chain], operators)) is not None:
            yield tuple(chain), result


def is_result(figure: Figure, result: Decimal, *, per_hundred: bool = False) -> bool:
    """Return whether a figure is the result of a formula, in the formula's unit or by the hundred."""
    candidates = {result} | ({_HUNDRED * result} if figure.kind is Kind.PERCENT or per_hundred else set())
    return any(as_written(figure).matches(each) for each in candidates)


def is_said_in_words(result: Decimal, sentence: str) -> bool:
    """Return whether a ratio is said as a fraction: « environ deux tiers (229 / 341) »."""
    said = (_PARTS[found["of"][:3]] * _TIMES.get(found["count"] or "un", 1) for found in _FRACTION.finditer(sentence))
    return any(abs(fraction - result) <= _NEARLY for fraction in said)


def is_same_duration(figure: Figure, others: Sequence[Figure]) -> bool:
    """Return whether what looks like a time is a duration of its line: « 341 min, soit 5 h 41 »."""
    if figure.kind is not Kind.TIME:
        return False
    return any(seconds_of(figure) in other.values for other in others if other.kind is Kind.DURATION)


def _evaluate(values: list[Decimal], operators: list[str]) -> Decimal | None:
    """Return what a formula gives, products first; None where it divides by zero."""
    terms, total = [values[0]], Decimal(0)
    for operator, value in zip(operators, values[1:], strict=True):
        if operator == "times":
            terms[-1] *= value
        elif operator == "over":
            if not value:
                return None
            terms[-1] /= value
        else:
            terms.append(value if operator == "plus" else -value)
    return sum(terms, total)


def as_written(figure: Figure) -> Figure:
    """Return a figure in the unit that it is written in: 3 of « 3 heures »."""
    if figure.kind is not Kind.DURATION:
        return figure
    unit = unit_of(figure)
    return replace(figure, values=tuple(value / unit for value in figure.values), quantum=figure.quantum / unit)


def _alone(figure: Figure, one: Figure, sentence: str) -> Iterator[Decimal]:
    """Yield what an amount of one time is for another: « 23,80 € par mois, environ 286 € par an »."""
    if figure.kind is one.kind and figure.kind in {Kind.MONEY, Kind.COUNT}:
        if _PER["year"].search(sentence):
            yield one.value * 12
        if _PER["month"].search(sentence) and _PER["year"].search(sentence):
            yield one.value / 12
        if _PER["day"].search(sentence):
            yield one.value / 30
    if figure.kind is one.kind is Kind.DURATION and (figure.unit, one.unit) == ("months", "seconds"):
        # « 118 jours, près de quatre mois »
        yield Decimal(round(one.value / _DAY / MONTH_DAYS))


def _share(part: Figure, whole: Figure) -> Iterator[Decimal]:
    if part.kind is whole.kind and 0 < part.value < whole.value:
        yield _HUNDRED * part.value / whole.value


def _shifted(share: Figure, points: Figure) -> Iterator[Decimal]:
    """Yield the share that differs from one by so many points."""
    if share.kind is Kind.PERCENT and points.kind is Kind.POINTS:
        yield share.value + points.value
        yield share.value - points.value


def _results(figure: Figure, one: Figure, other: Figure) -> Iterator[Decimal]:
    a, b = one.value, other.value
    yield from _between_shares(figure, one, other)
    if one.kind is other.kind is figure.kind and one.unit == other.unit:
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
    if figure.kind is Kind.PERCENT:
        yield from _shifted(one, other)
