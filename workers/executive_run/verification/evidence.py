"""What a report may rest on, indexed: every figure of every source with its platform, and the facts by name."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final

from shared.fact_labels import FACT_LABELS
from shared.facts import COUNT, DAYS, MILLISECONDS, MINUTES, PERCENT, POINTS, SECONDS, Fact, FactName
from shared.run_types.model import TIME_ZONE
from workers.executive_run.verification import notation
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.model import Grounds, NumberedSource
from workers.executive_run.verification.numbers import read_figures, singular
from workers.executive_run.verification.platforms import PlatformMention, PlatformNames
from workers.executive_run.verification.prose import Span, fold, split_lines

CONTEXT: Final = 0
"""The number of what the caller gave as context, which nothing cites."""

_CACHED_TEXTS: Final = 64
_BETWEEN_DAY_AND_HOUR: Final = 6
_UNIT_KINDS: Final = {
    COUNT: (Kind.COUNT, "", Decimal(1)),
    PERCENT: (Kind.PERCENT, "", Decimal(1)),
    POINTS: (Kind.POINTS, "", Decimal(1)),
    DAYS: (Kind.DURATION, "seconds", Decimal(86400)),
    MINUTES: (Kind.DURATION, "seconds", Decimal(60)),
    SECONDS: (Kind.DURATION, "seconds", Decimal(1)),
    MILLISECONDS: (Kind.DURATION, "seconds", Decimal("0.001")),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure of the data."""

    value: Decimal
    sign: int
    noun: str
    source: int
    platform: str | None
    line: int = -1
    """Where in its source the line begins that holds it; -1 for a fact."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A date, time, version or reference of the data, by its own key."""

    key: str
    source: int
    platform: str | None


@dataclass(frozen=True, slots=True)
class DatedLine:
    """A line of the data that names days."""

    text: str
    days: tuple[str, ...]
    """As the units of figures have them."""
    moments: tuple[datetime, ...]
    """The days of which the hour is said."""
    source: int
    platform: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a figure may come from: the sources its sentence cites, the platform it names; neither: anywhere."""

    sources: frozenset[int] = frozenset()
    platform: str | None = None
    also: str | None = None
    """A platform whose data serve too, without excluding any other's: the one that stands above."""


ANYWHERE: Final = Scope()


def measure(fact: Fact) -> tuple[Kind, str, Decimal]:
    """Return a fact's kind, unit and value as figures have them."""
    kind, unit, factor = _UNIT_KINDS.get(fact.unit, (Kind.MONEY, fact.unit, Decimal(1)))
    return kind, unit, fact.value * factor


@dataclass(slots=True)
class Evidence:
    """The grounds of one report, ready to be asked."""

    grounds: Grounds
    names: PlatformNames = field(init=False)
    today: date = field(init=False)
    """The day of the report, in Paris."""
    words: str = field(init=False)
    """All that was shown, folded."""
    facts: dict[FactName, list[Fact]] = field(init=False)
    _entries: dict[tuple[Kind, str], list[Entry]] = field(init=False)
    _values: dict[tuple[Kind, str], list[Decimal]] = field(init=False)
    _marks: dict[Kind, list[_Mark]] = field(init=False)
    _dated: list[DatedLine] = field(init=False)
    _counts: dict[tuple[int, int] | str, list[Entry]] = field(init=False)
    """The counts of the data by their line and by their noun."""
    _always: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        """Read every source once."""
        grounds = self.grounds
        self.names = PlatformNames(grounds.platforms)
        self.today = grounds.now.astimezone(TIME_ZONE).date()
        sources = [*grounds.sources, *([grounds.calculations] if grounds.calculations else [])]
        self._always = frozenset({CONTEXT, *([grounds.calculations.number] if grounds.calculations else [])})
        self.facts = defaultdict(list)
        self._marks = defaultdict(list)
        self._dated = []
        gathered: dict[tuple[Kind, str], list[Entry]] = defaultdict(list)
        for source in sources:
            self._read(source, gathered)
        if grounds.context:
            self._read_text(grounds.context, CONTEXT, None, gathered)
        for fact in (fact for conflict in grounds.conflicts for fact in conflict.facts):
            self._take(fact, None, gathered)
        self._read_clock(sources)
        self.words = fold("\n".join([*(f"{each.label}\n{each.text}" for each in sources), grounds.context]))
        self._entries = {key: sorted(found, key=lambda entry: entry.value) for key, found in gathered.items()}
        self._counts = defaultdict(list)
        for entry in self._entries.get((Kind.COUNT, ""), ()):
            self._counts[entry.source, entry.line].append(entry)
            self._counts[entry.noun].append(entry)
        self._values = {key: [entry.value for entry in found] for key, found in self._entries.items()}

    def find(self, figure: Figure, scope: Scope) -> list[Entry]:
        """Return what a scope holds that the figure may be: of its kind and unit, to its precision."""
        key = (figure.kind, figure.unit if figure.kind in {Kind.MONEY, Kind.DURATION} else "")
        entries, values = self._entries.get(key, []), self._values.get(key, [])
        allowed = figure.quantum if figure.is_about else figure.quantum / 2
        found = []
        for value in figure.values:
            for place in range(bisect_left(values, value - allowed), len(values)):
                if values[place] > value + allowed:
                    break
                if self._is_in(entries[place], scope):
                    found.append(entries[place])
        return found

    def find_counts(self, figure: Figure, scope: Scope) -> Iterator[Figure]:
        """Yield the counts that it may be a part of, larger ones of the same thing, and those of its line of data."""
        lines = {(entry.source, entry.line) for entry in self.find(figure, scope) if entry.line >= 0}
        akin = [*lines, *([figure.noun] if figure.noun else ())]
        least = figure.value if figure.kind is Kind.COUNT else Decimal(0)
        for entry in dict.fromkeys(entry for each in akin for entry in self._counts.get(each, ())):
            if entry.value >= least and self._is_in(entry, scope):
                yield Figure(Kind.COUNT, -1, -1, (entry.value,), noun=entry.noun)

    def holds_number(self, figure: Figure) -> bool:
        """Return whether a number stands in the data, in whatever unit."""
        value, half = figure.value, figure.quantum / 2
        factors = {Kind.DURATION: tuple(notation.SECONDS.values()), Kind.PERCENT: (Decimal(1), Decimal(100))}
        for (kind, _), values in self._values.items():
            for factor in factors.get(kind, (Decimal(1),)):
                place = bisect_left(values, (value - half) * factor)
                if place < len(values) and values[place] <= (value + half) * factor:
                    return True
        return False

    def nouns(self, scope: Scope) -> set[str]:
        """Return what a scope counts."""
        return {entry.noun for entry in self._entries.get((Kind.COUNT, ""), []) if self._is_in(entry, scope)}

    def has_mark(self, kind: Kind, mark: str, scope: Scope = ANYWHERE) -> bool:
        """Return whether a date, time, version or reference stands in the data, in whole or, of a date, in part."""
        known = {each.key for each in self._marks[kind] if scope is ANYWHERE or self._is_in(each, scope)}
        if mark in known:
            return True
        if kind is not Kind.DATE:
            return False
        if mark.startswith("*"):
            return any(key.endswith(mark[1:]) for key in known)
        return any(key.startswith(f"{mark}-") or (key[0] == "*" and key[1:] == mark[4:]) for key in known)

    def dated_lines(self, scope: Scope = ANYWHERE) -> Iterator[DatedLine]:
        """Yield the lines of a scope that name days."""
        return (line for line in self._dated if scope is ANYWHERE or self._is_in(line, scope))

    def _is_in(self, entry: Entry | _Mark | DatedLine, scope: Scope) -> bool:
        if entry.source in self._always:
            return scope.platform is None or entry.platform in {None, scope.platform}
        if entry.platform is not None and entry.platform in {scope.platform, scope.also}:
            return True
        if scope.sources:
            return entry.source in scope.sources and (scope.platform is None or entry.platform is None)
        return scope.platform is None or entry.platform is None

    def _read(self, source: NumberedSource, gathered: dict[tuple[Kind, str], list[Entry]]) -> None:
        self._read_text(f"{source.label}\n{source.text}", source.number, source.platform_key, gathered)
        for fact in source.facts:
            self._take(fact, source, gathered)

    def _take(self, fact: Fact, source: NumberedSource | None, gathered: dict[tuple[Kind, str], list[Entry]]) -> None:
        self.facts[fact.name].append(fact)
        kind, unit, value = measure(fact)
        number = source.number if source else CONTEXT
        key = (kind, unit if kind in {Kind.MONEY, Kind.DURATION} else "")
        sign = 0 if value == 0 else 1 if value > 0 else -1
        # A level is positive and has no sign of its own.
        signed = sign if fact.name in _CHANGES else min(sign, 0)
        noun = singular(fold(FACT_LABELS[fact.name].split()[0])) if kind is Kind.COUNT else ""
        gathered[key].append(Entry(abs(value), signed, noun, number, fact.subject))

    def _read_text(
        self, text: str, number: int, platform: str | None, gathered: dict[tuple[Kind, str], list[Entry]]
    ) -> None:
        for line in _read_lines(text, self.names):
            for figure in line.figures:
                self._take_figure(figure, number, platform or line.platform_of(figure), line.span.start, gathered)
            days = tuple(figure.unit for figure in line.figures if figure.kind is Kind.DATE)
            if days:
                words = text[line.span.start : line.span.end]
                moments = tuple(_moments_of(line.figures))
                self._dated.append(DatedLine(words, days, moments, number, platform or line.platform))

    def _take_figure(
        self,
        figure: Figure,
        number: int,
        platform: str | None,
        line: int,
        gathered: dict[tuple[Kind, str], list[Entry]],
    ) -> None:
        if figure.values and figure.kind not in {Kind.STRUCTURE, Kind.DATE}:
            key = (figure.kind, figure.unit if figure.kind in {Kind.MONEY, Kind.DURATION} else "")
            for value in figure.values:
                gathered[key].append(Entry(value, figure.sign, figure.noun, number, platform, line))
        if figure.unit and figure.kind in {Kind.DATE, Kind.TIME, Kind.VERSION, Kind.REFERENCE}:
            self._marks[figure.kind].append(_Mark(figure.unit, number, platform))

    def _read_clock(self, sources: Iterable[NumberedSource]) -> None:
        """Take the moments that every report may name: when data were read, today, and the days around it."""
        now = self.grounds.now.astimezone(TIME_ZONE)
        moments = [now, *(source.read_at for source in sources)]
        moments += [fact.at for facts in self.facts.values() for fact in facts]
        for moment in dict.fromkeys(moments):
            local = moment.astimezone(TIME_ZONE)
            self._marks[Kind.DATE].append(_Mark(f"{local:%Y-%m-%d}", CONTEXT, None))
            self._marks[Kind.TIME].append(_Mark(f"{local:%H:%M}", CONTEXT, None))
        for days in (-1, 1, -30, -7):
            self._marks[Kind.DATE].append(_Mark(f"{now + timedelta(days=days):%Y-%m-%d}", CONTEXT, None))
        for moment in (now, _month_before(now)):
            self._marks[Kind.DATE].append(_Mark(f"{moment:%Y-%m}-01", CONTEXT, None))


def _month_before(moment: datetime) -> datetime:
    return moment.replace(day=1) - timedelta(days=1)


_CHANGES: Final = frozenset(
    {
        FactName.MRR_CHANGE,
        FactName.NET_MRR,
        FactName.REVENUE_DIFFERENCE,
        FactName.ACTIVE_SUBSCRIPTIONS_CHANGE,
        FactName.CHURN_RATE_CHANGE,
    }
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the data with its figures and the platforms that it names."""

    span: Span
    figures: Sequence[Figure]
    named: Sequence[PlatformMention]
    platform: str | None
    """The first that it names, or that of the line above which it stands below."""

    def platform_of(self, figure: Figure) -> str | None:
        """Return the last platform that is named before a figure, or else the line's."""
        return next((each.key for each in reversed(self.named) if each.end <= figure.start), self.platform)


def _read_lines(text: str, names: PlatformNames) -> Iterator[_Line]:
    figures = _figures_of(text)
    starts = [figure.start for figure in figures]
    above: str | None = None
    for line in split_lines(text, 0, len(text)):
        named = names.find(text, line.start, line.end)
        is_below = text[line.start] in " \t"
        above = named[0].key if named else above if is_below else None
        own = figures[bisect_left(starts, line.start) : bisect_left(starts, line.end)]
        yield _Line(line, own, named, above)


def _moments_of(figures: Sequence[Figure]) -> Iterator[datetime]:
    """Yield the moment that a day and the hour right behind it are, in Paris."""
    for day, clock in pairwise(figures):
        if day.kind is Kind.DATE and clock.kind is Kind.TIME and clock.start - day.end <= _BETWEEN_DAY_AND_HOUR:
            with suppress(ValueError):
                yield datetime.fromisoformat(f"{day.unit}T{clock.unit}").replace(tzinfo=TIME_ZONE)


@lru_cache(maxsize=_CACHED_TEXTS)
def _figures_of(text: str) -> tuple[Figure, ...]:
    """Read a source's figures once for all answers that are held against it."""
    return read_figures(text)
