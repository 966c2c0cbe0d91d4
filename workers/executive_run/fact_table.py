"""The facts of one report as a table: one value for each name, subject and unit, and those that contradict each other.

Pure. What two sources contradict is in no row of the table, so nothing is computed from it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import Fact, FactName
from shared.findings import Finding
from shared.french import count_decimals
from workers.executive_run.verification.model import Conflict

SAME_TIME: Final = timedelta(hours=2)
"""Two sources that were read so close to each other should say the same."""


class _Key(NamedTuple):
    name: FactName
    subject: str | None
    unit: str


class FactTable:
    """Finds facts by name; of one that a source gives twice, the latest."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        given: defaultdict[_Key, list[tuple[Fact, Finding]]] = defaultdict(list)
        for finding in findings:
            for fact in finding.facts:
                given[_Key(fact.name, fact.subject, fact.unit)].append((fact, finding))
        self.conflicts: tuple[Conflict, ...] = ()
        self._facts: dict[_Key, Fact] = {}
        self._urls: dict[_Key, str | None] = {}
        # In the order of the names, so that the order of the findings changes nothing.
        for key in sorted(given, key=_rank):
            pairs = sorted(given[key], key=lambda pair: (pair[0].at, pair[0].source, pair[0].value))
            latest, finding = pairs[-1]
            against = [pair for pair in pairs if _contradicts(pair[0], latest)]
            if against:
                self.conflicts += (_make_conflict([against[-1], pairs[-1]]),)
            else:
                self._facts[key] = latest
                self._urls[key] = finding.url

    def of_company(self, name: FactName) -> dict[str, Fact]:
        """Return the company's values of a name, by unit: amounts in two currencies are two facts."""
        return {key.unit: fact for key, fact in self._facts.items() if key.name is name and key.subject is None}

    def one(self, name: FactName, unit: str | None = None) -> Fact | None:
        """Return the company's value of a name, in a unit or, if none is given, in the unit of the name."""
        return self._facts.get(_Key(name, None, unit or name.unit or ""))

    def of_platforms(self, name: FactName) -> dict[str, Fact]:
        """Return the value of each platform that has one; a name of money has none."""
        unit = name.unit
        return {
            key.subject: fact
            for key, fact in self._facts.items()
            if key.name is name and key.subject is not None and key.unit == unit
        }

    def counts_twice(self, name: FactName) -> bool:
        """Return whether two platforms share what a name was counted on, as two of one repository do."""
        urls = Counter(
            url for key, url in self._urls.items() if key.name is name and key.subject is not None and url is not None
        )
        return any(count > 1 for count in urls.values())


def _rank(key: _Key) -> tuple[int, str, str]:
    return list(FactName).index(key.name), key.subject or "", key.unit


def _contradicts(one: Fact, other: Fact) -> bool:
    if one.source == other.source or abs(one.at - other.at) > SAME_TIME:
        return False
    decimals = min(map(count_decimals, (one.value, other.value)))
    return round(one.value, decimals) != round(other.value, decimals)


def _make_conflict(pairs: Iterable[tuple[Fact, Finding]]) -> Conflict:
    pairs = list(pairs)
    fact, _ = pairs[0]
    values = ", ".join(f"{format_value(each.value, each.unit)} d'après « {finding.label} »" for each, finding in pairs)
    subject = f" [{fact.subject}]" if fact.subject else ""
    return Conflict(
        facts=tuple(each for each, _ in pairs),
        sentence=f"Données contradictoires, {FACT_LABELS[fact.name]}{subject} : {values}.",
    )
