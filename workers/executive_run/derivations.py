"""The rules of « Calculs du QG »: each gives lines of French, and the facts that they state."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import DAYS, MINUTES, PERCENT, Fact, FactName
from shared.french import format_change, format_count, format_number
from shared.registry import TIME_ZONE
from shared.untrusted_text import clean_line
from workers.executive_run.calculation_lines import Line, format_percent_of, format_share, make, round_half_up
from workers.executive_run.derived_money import derive_money, derive_subscribers, rank_currencies
from workers.executive_run.fact_table import FactTable
from workers.ports import Platform

_NAME_CHARS: Final = 40
_HOUR: Final = 60

_ADDED: Final = (
    FactName.OUTAGE,
    FactName.CRITICAL_ALERTS,
    FactName.SEVERE_ALERTS,
    FactName.OPEN_ALERTS,
    FactName.OPEN_INCIDENTS,
    FactName.OPEN_ISSUES,
    FactName.OPEN_PULLS,
    FactName.COMMITS_WEEK,
    FactName.WORKFLOW_RUNS_FAILED,
    FactName.WORKFLOW_RUNS_SUCCEEDED,
    FactName.WORKFLOW_RUNS_READ,
    FactName.WORKFLOW_RUNS,
    FactName.HIGH_ALERTS,
    FactName.MEDIUM_ALERTS,
    FactName.LOW_ALERTS,
)
"""What is added over the platforms, the most telling first."""

_PARTS: Final = (
    (FactName.PLATFORMS_GREEN, FactName.PLATFORMS),
    (FactName.PLATFORMS_AMBER, FactName.PLATFORMS),
    (FactName.PLATFORMS_RED, FactName.PLATFORMS),
    (FactName.RUNS_FAILED, FactName.RUNS),
    (FactName.TABLES_WITHOUT_RLS, FactName.TABLES),
    (FactName.TABLES_WITHOUT_POLICY, FactName.TABLES),
    (FactName.PERSONAL_TABLES_WITHOUT_RLS, FactName.PERSONAL_TABLES),
    (FactName.PERSONAL_TABLES_OPEN, FactName.PERSONAL_TABLES),
    (FactName.NEW_CUSTOMERS_MONTH, FactName.CUSTOMERS),
)
"""What is a part of what: its share is stated."""

_COMPARED: Final = (
    (FactName.RUNS, FactName.RUNS_BEFORE),
    (FactName.PAGE_VIEWS_WEEK, FactName.PAGE_VIEWS_WEEK_BEFORE),
)
"""Counts of a period, and of the one before it."""

_WAITING: Final = (
    (FactName.OLDEST_ACTION_AGE, "plus vieille action en attente d'approbation depuis {}"),
    (FactName.OLDEST_INCIDENT_AGE, "plus vieil incident en cours depuis {}"),
    (FactName.OLDEST_UNREAD_AGE, "plus vieux message non lu depuis {}"),
)

_SHEET: Final = (
    *_WAITING,
    (FactName.SEVERE_ALERTS, "alertes critiques ou de gravité élevée : {}"),
    (FactName.WORKFLOW_SUCCESS_RATE, "pipelines réussis à {}"),
    (FactName.LAST_COMMIT_AGE, "dernier commit il y a {}"),
    (FactName.LAST_RELEASE_AGE, "dernière version il y a {}"),
    (FactName.OLDEST_ISSUE_AGE, "plus vieux ticket ouvert depuis {}"),
    (FactName.OLDEST_PULL_AGE, "plus vieille pull request ouverte depuis {}"),
)
"""What the sources compute of each platform, and do not print."""


def derive(table: FactTable, platforms: Sequence[Platform], now: datetime) -> Iterator[Line]:
    """Yield every calculation that the facts allow, the most telling first."""
    names = {platform.key: clean_line(platform.name, _NAME_CHARS) for platform in platforms}
    # The currency in which everything is known is the main one.
    currencies = rank_currencies(table)
    for currency in currencies[:1]:
        yield from derive_money(table, currency)
    yield from derive_subscribers(table)
    yield from _derive_availability(table, names)
    yield from _derive_pipelines(table, names)
    yield from (line for name in _ADDED for line in _add(table, name, names))
    yield from _derive_runs(table)
    yield from (line for part, whole in _PARTS for line in _divide(table, part, whole))
    yield from _derive_waiting(table)
    yield from (line for currency in currencies[1:] for line in derive_money(table, currency))
    yield _derive_calendar(now.astimezone(TIME_ZONE).date())
    yield from _derive_sheets(table, names)


def _derive_availability(table: FactTable, names: Mapping[str, str]) -> Iterator[Line]:
    found = _known(table.of_platforms(FactName.UPTIME), names)
    if len(found) < _SEVERAL:
        return
    worst = min(found, key=lambda key: found[key].value)
    least = found[worst].value
    alone = sum(fact.value == least for fact in found.values()) == 1
    lowest = f" ; la plus basse : {names[worst]}, {format_value(least, PERCENT)}" if alone else ""
    mean = round_half_up(sum((fact.value for fact in found.values()), Decimal(0)) / len(found), 2)
    is_whole = len(found) == len(names)
    of = f"des {len(names)} plateformes" if is_whole else f"de {len(found)} plateformes sur {len(names)}"
    facts = make({FactName.UPTIME: mean}, found.values()) if is_whole else ()
    yield Line(f"Disponibilité moyenne {of} : {format_value(mean, PERCENT)} (moyenne simple){lowest}", facts)


def _derive_pipelines(table: FactTable, names: Mapping[str, str]) -> Iterator[Line]:
    """Add up the pipelines; where one platform's were not read, say over how many, and state no fact."""
    succeeded = _known(table.of_platforms(FactName.WORKFLOW_RUNS_SUCCEEDED), names)
    failed = _known(table.of_platforms(FactName.WORKFLOW_RUNS_FAILED), names)
    if succeeded.keys() != failed.keys() or len(succeeded) < _SEVERAL:
        return
    if table.counts_twice(FactName.WORKFLOW_RUNS_FAILED):
        return
    won, lost = (sum((fact.value for fact in found.values()), Decimal(0)) for found in (succeeded, failed))
    if won + lost:
        rate = round_half_up(100 * won / (won + lost), 2)
        is_whole = len(succeeded) == len(names)
        of = "toutes les plateformes" if is_whole else f"{len(succeeded)} plateformes sur {len(names)}"
        text = f"Pipelines de {of} : {format_number(won)} réussites sur {format_number(won + lost)}, "
        known = [*succeeded.values(), *failed.values()]
        facts = make({FactName.WORKFLOW_SUCCESS_RATE: rate}, known) if is_whole else ()
        yield Line(f"{text}soit {format_value(rate, PERCENT)}", facts)


_SEVERAL: Final = 2


def _add(table: FactTable, name: FactName, names: Mapping[str, str]) -> Iterator[Line]:
    """Add a count over the platforms; where one was not read, say over how many, and state no fact."""
    found = _known(table.of_platforms(name), names)
    if len(found) < _SEVERAL or table.one(name) is not None or table.counts_twice(name):
        return
    total = sum((fact.value for fact in found.values()), Decimal(0))
    label = _capitalize(FACT_LABELS[name])
    unit = name.unit or ""
    written = format_value(total, unit)
    if unit == MINUTES and total >= _HOUR:
        written += f" ({_clock(total)})"
    if len(found) < len(names):
        yield Line(f"{label} : {written} sur {len(found)} plateformes lues ; total des {len(names)} inconnu")
        return
    parts = [f"{label}, total des {len(names)} plateformes : {written}"]
    if total > 0:
        most = max(found, key=lambda key: found[key].value)
        largest = found[most].value
        concerned = sum(fact.value > 0 for fact in found.values())
        parts.append(f"moyenne {format_number(total / len(found), 1)}")
        if concerned < len(found):
            parts.append(format_count(concerned, "plateforme concernée", "plateformes concernées"))
        if sum(fact.value == largest for fact in found.values()) == 1:
            parts.append(f"le plus : {names[most]}, {format_value(largest, unit)} ({format_share(largest, total)})")
    yield Line(" ; ".join(parts), make({name: total}, found.values()))


def _derive_runs(table: FactTable) -> Iterator[Line]:
    for name, earlier in _COMPARED:
        now, before = table.one(name), table.one(earlier)
        if now is not None and before is not None:
            difference = now.value - before.value
            text = (
                f"{_capitalize(FACT_LABELS[name])} : {format_number(now.value)} contre {format_number(before.value)} "
            )
            yield Line(f"{text}avant, soit {format_change(difference)}{format_percent_of(difference, before.value)}")
    completed = table.one(FactName.RUNS_COMPLETED)
    for currency, cost in table.of_company(FactName.AI_COST).items():
        if completed is not None and completed.value > 0:
            mean = format_value(round_half_up(cost.value / completed.value, 4), currency)
            yield Line(f"Coût d'IA moyen par exécution réussie sur 30 jours : {mean}")


def _divide(table: FactTable, part: FactName, whole: FactName) -> Iterator[Line]:
    one, all_of = table.one(part), table.one(whole)
    if one is None or all_of is None or not 0 < one.value <= all_of.value:
        return
    label = _capitalize(FACT_LABELS[part])
    counts = f"{format_number(one.value)} sur {format_number(all_of.value)}"
    yield Line(f"{label} : {counts}, soit {format_share(one.value, all_of.value)}")


def _derive_waiting(table: FactTable) -> Iterator[Line]:
    for name, words in _WAITING:
        fact = table.one(name)
        if fact is not None:
            yield Line(_capitalize(words.format(_format_age(fact))))


@lru_cache(maxsize=4)
def _derive_calendar(today: date) -> Line:
    month, quarter, year = (
        _first_day(today.year, today.month + 1),
        _first_day(today.year, today.month + 3 - (today.month - 1) % 3),
        _first_day(today.year + 1, 1),
    )
    left = [format_count((end - today).days - 1, "jour", "jours") for end in (month, quarter, year)]
    number = (today.month - 1) // 3 + 1
    return Line(
        f"Après aujourd'hui, il reste {left[0]} dans le mois, {left[1]} dans le trimestre (T{number}) "
        f"et {left[2]} dans l'année {today.year}"
    )


def _derive_sheets(table: FactTable, names: Mapping[str, str]) -> Iterator[Line]:
    found = {name: table.of_platforms(name) for name, _ in _SHEET}
    for key, title in names.items():
        known = [(found[name].get(key), words) for name, words in _SHEET]
        parts = [words.format(_format_age(fact)) for fact, words in known if fact is not None]
        if parts:
            yield Line(f"{title} : {' ; '.join(parts)}")


def _format_age(fact: Fact) -> str:
    """Format a fact; an age of no whole day in words, because nothing is 0 days old."""
    return "moins d'un jour" if fact.unit == DAYS and fact.value == 0 else format_value(fact.value, fact.unit)


def _capitalize(words: str) -> str:
    """Begin a line with a capital letter, and leave the other letters as they are."""
    return f"{words[0].upper()}{words[1:]}"


def _known(found: Mapping[str, Fact], names: Mapping[str, str]) -> dict[str, Fact]:
    """Return the facts of the platforms that the report is about, in their order."""
    return {key: found[key] for key in names if key in found}


def _clock(minutes: Decimal) -> str:
    hours, rest = divmod(round(minutes), _HOUR)
    return f"{format_number(hours)} h {rest:02d} min"


def _first_day(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
