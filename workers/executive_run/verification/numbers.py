"""Figures as French and English readers write them: value, precision, unit, sign and place.

What only looks like a figure (a citation, « J+7 », a quarter, « P1 », the number of a list item) is read as structure.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.notation import (
    CURRENCIES,
    MONTH,
    MONTHS,
    NUMBER,
    SCALES,
    SECONDS,
    SHORT_MONTHS,
    TOKEN,
)
from workers.executive_run.verification.number_words import read_words
from workers.executive_run.verification.prose import fold

_STRUCTURE: Final = frozenset({"url", "quarter", "relative", "rank", "identifier", "window"})
_ABOUT: Final = re.compile(
    r"(?:environ|pres d|quelque|autour d|presque|plus d|moins d|a peine|au moins|au plus|~|≈)[e']?\s?(?:\w+\s){0,3}$"
)
_NOUN: Final = re.compile(
    r"\s\**(?:(?:(?:de|des|nouve(?:aux|lles?)|autres?|derni(?:er|ere)s?|seule?s?|premi(?:er|ere)s?)\s)|"
    r"d')*([a-z][a-z-]{2,})"
)
_NO_NOUN: Final = re.compile(
    "est|sont|reste|restent|sur|pour|dans|par|avec|contre|soit|dont|qui|que|les|des|une|aux|ont|mais|puis|selon|chez|ce|cette|ainsi"
)
_RANGE: Final = re.compile(r"\s?(?:[-+=\u2013—]|a|et|ou|des)\s?")
_LIST_NUMBER: Final = re.compile(r"^[ \t>]*(?:[-*+•][ \t]+)?(?:\*\*)?\d{1,2}(?:\.\d{1,2})*[.)](?=[\s*])", re.MULTILINE)
_JOINED: Final = re.compile(r"\s?(?:et\s)?")
_MOST_OF_A_PART: Final = 60
_DIGITS: Final = re.compile(r"\d+")
_A_MONTH: Final = re.compile(MONTH)
_YEAR: Final = re.compile(r"\s(\d{4})\b")
_BEFORE_YEAR: Final = re.compile(r"(?:\b(?:en|de|fin|debut|annee|depuis|l'an|et|pour|mi)\s|[-\u2013(/]\s?)$")
_UNIT: Final = re.compile(r"\s(jours?|semaines?|heures?|minutes?|secondes?|mois|ans?|annees?)\b")
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


def read_figures(text: str) -> tuple[Figure, ...]:
    """Read the figures of a text, in order, those that are only structure among them."""
    folded = fold(text)
    numbering = {found.end() - 1 for found in _LIST_NUMBER.finditer(folded)}
    figures: list[Figure] = []
    for found in TOKEN.finditer(folded):
        figure = _read(found, folded)
        if figure is None:
            continue
        if found.end() in numbering and figure.kind in {Kind.COUNT, Kind.VERSION}:
            figure = replace(figure, kind=Kind.STRUCTURE)
        figures.append(figure)
    return tuple(_join(figures, folded))


def _read(found: re.Match[str], folded: str) -> Figure | None:
    group = found.lastgroup if found["number"] is None else "number"
    start, end = found.span()
    if group in _STRUCTURE:
        return Figure(Kind.STRUCTURE, start, end)
    if group in _KEYS:
        kind, key_of = _KEYS[group]
        return Figure(kind, start, end, unit=key_of(found[0]))
    if group in {"iso", "slashed", "day", "month"}:
        return _read_date(found, folded)
    if group == "words":
        value = read_words(found[0])
        return None if value is None else _count(value, start, end, folded, is_word=True)
    if group == "fraction":
        return _count(Decimal(found[0]), start, end, folded)
    return _read_number(found, folded) if group == "number" else _read_score(found)


def _clock(words: str) -> str:
    hour, minute, *_ = (*_DIGITS.findall(words), "0")
    return f"{int(hour):02d}:{int(minute):02d}"


_KEYS: Final[dict[str | None, tuple[Kind, Callable[[str], str]]]] = {
    "citation": (Kind.CITATION, lambda words: " ".join(_DIGITS.findall(words))),
    "reference": (Kind.REFERENCE, str),
    "version": (Kind.VERSION, lambda words: words.removeprefix("v")),
    "clock": (Kind.TIME, _clock),
}
"""What is known by its own words, and how they are brought to one form."""


def _read_date(found: re.Match[str], folded: str) -> Figure:
    start, end = found.span()
    if found["iso"]:
        return Figure(Kind.DATE, start, end, unit=found[0][:10])
    if found["slashed"]:
        day, month, year = found[0].split("/")
        return Figure(Kind.DATE, start, end, unit=f"{year}-{int(month):02d}-{int(day):02d}")
    name = _A_MONTH.search(folded[start : end + 40])
    assert name is not None
    year_found = _YEAR.match(folded, start + name.end())
    year_text = year_found[1] if year_found else "*"
    month_number = _month_number(name[0])
    if found["month"]:
        return Figure(Kind.DATE, start, end, unit=f"{year_text}-{month_number:02d}")
    day = re.sub(r"\D", "", found[0][:3])
    return Figure(Kind.DATE, start, end, unit=f"{year_text}-{month_number:02d}-{int(day):02d}")


def _month_number(name: str) -> int:
    bare = name.strip(". ")
    return MONTHS.index(bare) + 1 if bare in MONTHS else SHORT_MONTHS[bare]


def _read_score(found: re.Match[str]) -> Figure:
    digits = re.match(NUMBER, found[0])
    assert digits is not None
    values, quantum = _parse(digits[0])
    return Figure(Kind.SCORE, found.start(), found.end(), values, quantum)


def _read_number(found: re.Match[str], folded: str) -> Figure | None:
    start, end = found.span()
    values, quantum = _parse(found["digits"])
    scale = Decimal(SCALES[found["scale"]]) if found["scale"] else Decimal(1)
    sign = {"+": 1, "-": -1}.get(found["sign"] or "", 0)
    base = Figure(
        Kind.COUNT,
        start,
        end,
        tuple(value * scale for value in values),
        quantum * scale,
        sign=sign,
    )
    if _ABOUT.search(folded, max(0, start - 36), start):
        base = replace(base, is_about=True, quantum=max(base.quantum, _round_quantum(base.value)))
    return _with_unit(base, found, folded)


def _with_unit(base: Figure, found: re.Match[str], folded: str) -> Figure | None:
    currency = found["money"] or (found["before"] or "").strip()
    if currency:
        return replace(base, kind=Kind.MONEY, unit=CURRENCIES[currency])
    if found["cents"]:
        return _scaled(replace(base, kind=Kind.MONEY, unit="EUR"), Decimal("0.01"))
    if found["percent"] or found["points"]:
        return replace(base, kind=Kind.PERCENT if found["percent"] else Kind.POINTS)
    if found["time"] or found["months"]:
        return _with_duration(base, found["time"], found["months"])
    if _is_year(base, found["digits"], folded):
        return replace(base, kind=Kind.DATE, unit=found["digits"])
    return replace(base, noun=_noun(folded, base.end))


def _with_duration(base: Figure, time: str | None, months: str | None) -> Figure:
    if time:
        unit = next(unit for unit in ("ms", "millis", "min", "sem", "s", "h", "j") if time.startswith(unit))
        return _scaled(replace(base, kind=Kind.DURATION, unit="seconds"), SECONDS["ms" if unit == "millis" else unit])
    count = 1 if months == "mois" else 3 if (months or "").startswith("trim") else 12
    return _scaled(replace(base, kind=Kind.DURATION, unit="months"), Decimal(count))


def _is_year(figure: Figure, digits: str, folded: str) -> bool:
    if len(digits) != 4 or not digits.isdigit() or not 2000 <= figure.value <= 2099:  # noqa: PLR2004 - a year
        return False
    before = folded[max(0, figure.start - 12) : figure.start]
    return bool(_BEFORE_YEAR.search(before)) or not _noun(folded, figure.end)


def _scaled(figure: Figure, factor: Decimal) -> Figure:
    return replace(figure, values=tuple(value * factor for value in figure.values), quantum=figure.quantum * factor)


def _count(value: Decimal, start: int, end: int, folded: str, *, is_word: bool = False) -> Figure:
    figure = Figure(Kind.COUNT, start, end, (value,), noun=_noun(folded, end), is_word=is_word)
    unit = _UNIT.match(folded[end : end + 12])
    if unit is None:
        return figure
    figure = replace(figure, kind=Kind.DURATION, end=end + unit.end(), noun="")
    seconds = {"jou": 86400, "sem": 604800, "heu": 3600, "min": 60, "sec": 1}.get(unit[1][:3])
    if seconds is not None:
        return _scaled(replace(figure, unit="seconds"), Decimal(seconds))
    return _scaled(replace(figure, unit="months"), Decimal(1 if unit[1] == "mois" else 12))


def _noun(folded: str, end: int) -> str:
    found = _NOUN.match(folded, end)
    word = found[1] if found else ""
    return "" if _NO_NOUN.fullmatch(word) else singular(word)


def singular(word: str) -> str:
    """Return a noun's singular, near enough to compare two of them."""
    return word[:-1] if len(word) > 3 and word[-1] in "sx" else word  # noqa: PLR2004 - « bus », « prix »


def _parse(digits: str) -> tuple[tuple[Decimal, ...], Decimal]:
    """Return the value or values that the digits may be, and the unit of the last digit of the first."""
    bare = digits.replace(" ", "").replace("'", "")
    if "," in bare and "." in bare:
        decimal = max(bare.rfind(","), bare.rfind("."))
        whole = re.sub(r"[.,]", "", bare[:decimal])
        return _one(f"{whole}.{bare[decimal + 1 :]}")
    if bare.count(",") > 1 or bare.count(".") > 1:
        return _one(re.sub(r"[.,]", "", bare))
    written = bare.replace(",", ".")
    values, quantum = _one(written)
    if _THOUSANDS.fullmatch(bare):
        # « 1,234 » is a thousand and more to an English reader; to a French one, a number with three decimals.
        return (*values, Decimal(re.sub(r"[.,]", "", bare))), quantum
    return values, quantum


def _one(written: str) -> tuple[tuple[Decimal, ...], Decimal]:
    value = Decimal(written)
    exponent = value.as_tuple().exponent
    return (value,), Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)


def _round_quantum(value: Decimal) -> Decimal:
    """Return the unit of the last digit that is not zero: 3 000 is about a thousand, 3 050 about ten."""
    exponent = value.normalize().as_tuple().exponent if value else 0
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)


def _join(figures: list[Figure], folded: str) -> list[Figure]:
    """Join « 2 min 05 s », and give the first of a range, or of a sum, the unit of its second."""
    joined: list[Figure] = []
    for figure in reversed(figures):
        after = joined[-1] if joined else None
        between = folded[figure.end : after.start] if after else ""
        if after and _continues(figure, after, between):
            values = (figure.value + after.value,)
            joined[-1] = replace(figure, end=after.end, values=values, quantum=min(figure.quantum, after.quantum))
        else:
            joined.append(_as_range(figure, after, between))
    return joined[::-1]


def _continues(figure: Figure, after: Figure, between: str) -> bool:
    if not figure.kind is after.kind is Kind.DURATION or figure.unit != after.unit:
        return False
    # « 2 h 05 min », not « 30 jours et 30 minutes ».
    is_next = after.quantum < figure.quantum <= _MOST_OF_A_PART * after.quantum
    is_rest = is_next and after.value < _MOST_OF_A_PART * after.quantum
    return is_rest and bool(_JOINED.fullmatch(between))


def _as_range(figure: Figure, after: Figure | None, between: str) -> Figure:
    if after is None or figure.kind is not Kind.COUNT or figure.noun or not _RANGE.fullmatch(between):
        return figure
    if after.kind not in {Kind.MONEY, Kind.PERCENT, Kind.POINTS, Kind.DURATION, Kind.COUNT} or not after.values:
        return figure
    return with_unit_of(figure, after)


def with_unit_of(figure: Figure, other: Figure) -> Figure:
    """Read a bare number in another figure's unit."""
    same_unit = replace(figure, kind=other.kind, unit=other.unit, noun=other.noun)
    return _scaled(same_unit, unit_of(other))


def seconds_of(clock: Figure) -> Decimal:
    """Return how many seconds a time is if it is a duration: « 9 h 18 »."""
    hours, minutes = (int(part) for part in clock.unit.split(":"))
    return hours * SECONDS["h"] + minutes * SECONDS["min"]


def unit_of(figure: Figure) -> Decimal:
    """Return by what the figure's unit multiplied its digits: of the quantum, what is no power of ten below one."""
    if figure.kind is not Kind.DURATION:
        return max(Decimal(1), figure.quantum)
    if figure.unit == "months":
        return next((Decimal(12) for _ in (0,) if figure.quantum == 12), Decimal(1))  # noqa: PLR2004 - a year
    return next((unit for unit in sorted(SECONDS.values(), reverse=True) if figure.quantum >= unit), Decimal(1))
