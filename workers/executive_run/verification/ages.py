"""How long ago something was, or how far off it is: a duration stands where the days that it lies between do."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from workers.executive_run.verification.evidence import DatedLine, Evidence, Scope
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.notation import MONTHS
from workers.executive_run.verification.numbers import seconds_of
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_DAY: Final = Decimal(86_400)
_STEM: Final = 5
_LONG: Final = re.compile(r"[a-z]{5,}")
_NO_STEMS: Final = frozenset(word[:_STEM] for word in ("depuis", "jours", "heures", "minutes", *MONTHS))
_UNTIL_END: Final = re.compile(
    r"\bfin (?:du|de|d')|\brest|avant la cloture|"
    r"\b(?:mois|trimestre|annee|exercice)\b[^.;]{0,40}\b(?:s'acheve|se termine)"
)
_AGE_BEFORE: Final = re.compile(
    r"\b(?:depuis|il y a|agee?s? de|a|a que|dure(?:nt)?|remonte(?:nt)? a|date(?:nt)? de|attend(?:ent)?|ouverte?s?|"
    r"vie(?:ux|ille) de|donne(?:nt)?(?: plutot)?|represente(?:nt)?|ecoule)\s\**"
    r"(?:plus de |pres de |environ |bientot )?\**$|\bplus ancien(?:ne)?\b[^.;]{0,40}[:,]\s\**$"
)
_ELAPSED_BEFORE: Final = re.compile(
    r"\b(?:depuis|il y a|soit|dure(?:nt)?|donne(?:nt)?|represente(?:nt)?|ecoule|est|de|ouverte?s?)\s\**"
    r"(?:plus de |pres de |environ |plutot |bientot )?\**$|[,(]\s?\**$"
)
_AGE_AFTER: Final = re.compile(r"\**\s(?:apres|plus tard|plus tot|auparavant|avant|d'age|d'anciennete|s'ecoulent)\b")
_QUOTED: Final = re.compile("\u00ab\\s?(?P<title>[^\u00ab\u00bb\n]{6,120}?)\\s?\u00bb|(?P<reference>#\\d+)\\b")


def is_age_of(figure: Figure, others: Sequence[Figure], today: date, sentence: str) -> bool:
    """Return whether a duration is how far away a day is that its sentence names, or the end of the period."""
    if figure.kind is not Kind.DURATION or figure.unit != "seconds":
        return False
    days = figure.value / _DAY
    if _UNTIL_END.search(sentence) and any(0 <= (end - today).days - days <= 1 for end in ends_of_periods(today)):
        return True
    return any(
        _lasts((today - day).days, days)
        for other in others
        if other.kind is Kind.DATE and (day := _day_of(other.unit, today)) is not None
    )


def is_age_in_data(figure: Figure, statement: Statement, folded: str, evidence: Evidence, scope: Scope) -> bool:
    """Return whether a duration is the age of what its sentence quotes from the data, or of a day of its sources.

    « #207 « Paiement refusé », ouvert depuis neuf jours »: the line of the data that holds these words holds the day.
    """
    if figure.kind is Kind.DURATION and figure.unit == "seconds" and figure.quantum >= _DAY:
        return _is_days(figure, statement, folded, evidence, scope)
    is_hours = figure.kind is Kind.DURATION and figure.unit == "seconds"
    return (is_hours or figure.kind is Kind.TIME) and _is_elapsed(figure, statement, folded, evidence, scope)


def ends_of_periods(today: date) -> Iterator[date]:
    """Yield the last day of the month, the quarter and the year."""
    for month in (today.month, -(-today.month // 3) * 3, 12):
        year, following = divmod(month, 12)
        yield date(today.year + year, following + 1, 1) - timedelta(days=1)


def _is_days(figure: Figure, statement: Statement, folded: str, evidence: Evidence, scope: Scope) -> bool:
    today = evidence.today
    days = figure.value / _DAY
    quoted = [day for line in _quoted_lines(figure, statement, folded, evidence) for day in _days_of(line, today)]
    if any(_lasts((today - day).days, days) for day in quoted):
        return True
    if not scope.sources and scope.platform is None:
        return False
    words = folded[statement.line.start : statement.span.end]
    known = [day for line in _akin_lines(words, evidence, scope) for day in _days_of(line, today)]
    before = folded[max(statement.span.start, figure.start - 60) : figure.start]
    if _AGE_AFTER.match(folded, figure.end):
        own = [_day_of(each.unit, today) for each in statement.figures if each.kind is Kind.DATE]
        return any(day and _lasts((day - other).days, days) for day in (today, *own, *quoted) for other in known)
    return bool(_AGE_BEFORE.search(before)) and any((today - day).days == days for day in known)


def _quoted_lines(figure: Figure, statement: Statement, folded: str, evidence: Evidence) -> Iterator[DatedLine]:
    """Yield the dated lines of the data that hold the title or reference which is quoted last before a figure."""
    span = statement.span
    before = list(_QUOTED.finditer(folded, statement.line.start, figure.start))
    found = before[-1] if before else _QUOTED.search(folded, figure.end, span.end)
    if found is None:
        return
    quoted = re.compile(rf"{re.escape(found['title'] or found['reference'])}(?!\w)")
    named = {each.key for each in statement.platforms}
    for line in evidence.dated_lines():
        is_own = not named or line.platform is None or line.platform in named
        if is_own and quoted.search(fold(line.text)):
            yield line


def _akin_lines(words: str, evidence: Evidence, scope: Scope) -> Iterator[DatedLine]:
    """Yield the dated lines of the data that speak of what a line speaks of: they have a word in common."""
    said = stems_of(words)
    return (line for line in evidence.dated_lines(scope) if not said.isdisjoint(stems_of(fold(line.text))))


def stems_of(folded: str) -> set[str]:
    """Return the beginnings of the long words of a text, but for those of times."""
    return {word[:_STEM] for word in _LONG.findall(folded)} - _NO_STEMS


def _is_elapsed(figure: Figure, statement: Statement, folded: str, evidence: Evidence, scope: Scope) -> bool:
    """Return whether hours are those that have passed since a moment of the data."""
    words = _ELAPSED_BEFORE if figure.kind is Kind.TIME else _AGE_BEFORE
    if not words.search(folded[max(0, figure.start - 24) : figure.start]):
        return False
    if figure.kind is Kind.TIME:
        stated, allowed = seconds_of(figure), Decimal(120)
    else:
        # « Plus de neuf heures » of nine and a half.
        stated, allowed = figure.value, figure.quantum
    nows = {evidence.grounds.now, *(source.read_at for source in evidence.grounds.sources)}
    # To the minute it is right by no accident.
    is_exact = figure.kind is Kind.TIME
    said = folded[statement.line.start : statement.span.end]
    lines = evidence.dated_lines(scope) if is_exact else _akin_lines(said, evidence, scope)
    moments = [moment for line in lines for moment in line.moments]
    return any(0 <= Decimal((now - moment).total_seconds()) - stated < allowed for now in nows for moment in moments)


def _lasts(actual: int, stated: Decimal) -> bool:
    """Return whether so many days lie between, the day under way counted or not."""
    return 0 <= abs(actual) - stated <= 1


def _days_of(line: DatedLine, today: date) -> Iterator[date]:
    for unit in line.days:
        if (day := _day_of(unit, today)) is not None:
            yield day


def _day_of(unit: str, today: date) -> date | None:
    try:
        return date.fromisoformat(unit.replace("*", str(today.year)))
    except ValueError:
        return None
