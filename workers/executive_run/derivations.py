"""The rules of « Calculs du QG »: each gives lines of French, and the facts that they state."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from shared.fact_labels import FACT_LABELS, format_difference, format_value
from shared.facts import MINUTES, PERCENT, Fact, FactName, make_facts
from shared.french import format_change, format_count, format_number, format_percent
from shared.registry import TIME_ZONE
from shared.untrusted_text import clean_line
from workers.executive_run.fact_table import FactTable
from workers.ports import Platform

CALCULATIONS_SOURCE: Final = "calculations"
"""The source of the facts that are computed here."""

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
    FactName.CHECKS,
)
"""What is added over the platforms, the most telling first."""

_PARTS: Final = (
    (FactName.PLATFORMS_GREEN, FactName.PLATFORMS),
    (FactName.PLATFORMS_AMBER, FactName.PLATFORMS),
    (FactName.PLATFORMS_RED, FactName.PLATFORMS),
    (FactName.RUNS_FAILED, FactName.RUNS),
    (FactName.TABLES_WITHOUT_RLS, FactName.TABLES),
    (FactName.TABLES_WITHOUT_POLICY, FactName.TABLES),
    (FactName.NEW_CUSTOMERS_MONTH, FactName.CUSTOMERS),
)
"""What is a part of what: its share is stated."""

_SHEET: Final = (
    (FactName.SEVERE_ALERTS, "alertes critiques ou de gravité élevée : {}"),
    (FactName.WORKFLOW_SUCCESS_RATE, "pipelines réussis à {}"),
    (FactName.LAST_COMMIT_AGE, "dernier commit il y a {}"),
    (FactName.LAST_RELEASE_AGE, "dernière version il y a {}"),
    (FactName.OLDEST_ISSUE_AGE, "plus vieux ticket ouvert depuis {}"),
    (FactName.OLDEST_PULL_AGE, "plus vieille pull request ouverte depuis {}"),
)
"""What the sources compute of each platform, and do not print."""


class Line(NamedTuple):
    """One calculation, and the facts that it states."""

    text: str
    facts: tuple[Fact, ...] = ()


def derive(table: FactTable, platforms: Sequence[Platform], now: datetime) -> Iterator[Line]:
    """Yield every calculation that the facts allow, the most telling first."""
    names = {platform.key: clean_line(platform.name, _NAME_CHARS) for platform in platforms}
    for currency in sorted(table.of_company(FactName.MRR), key=lambda code: (code != "EUR", code)):
        yield from _derive_recurring(table, currency)
    for currency in sorted(table.of_company(FactName.REVENUE_MONTH), key=lambda code: (code != "EUR", code)):
        yield from _derive_revenue(table, currency)
    yield from _derive_subscribers(table)
    yield from _derive_availability(table, names)
    yield from _derive_pipelines(table, names)
    yield from (line for name in _ADDED for line in _add(table, name, names))
    yield from _derive_runs(table)
    yield from (line for part, whole in _PARTS for line in _divide(table, part, whole))
    yield from _derive_waiting(table)
    yield _derive_calendar(now)
    yield from _derive_sheets(table, names)


def _derive_recurring(table: FactTable, currency: str) -> Iterator[Line]:
    mrr = table.one(FactName.MRR, currency)
    assert mrr is not None
    annual = 12 * mrr.value
    text = (
        f"Revenu récurrent annualisé (ARR) : 12 fois {_money(mrr.value, currency)} de MRR = {_money(annual, currency)}"
    )
    yield Line(text, _make({FactName.ARR: annual}, (mrr,), currency))

    before = table.one(FactName.MRR_BEFORE, currency)
    if before is not None:
        difference = mrr.value - before.value
        change = _change_of(difference, before.value, currency)
        yield Line(f"MRR : {change} en 30 jours, contre {_money(before.value, currency)}")

    names = (FactName.NEW_MRR, FactName.EXPANDED_MRR, FactName.CONTRACTED_MRR, FactName.LOST_MRR)
    moved = [fact for name in names if (fact := table.one(name, currency)) is not None]
    if len(moved) == len(names):
        new, expanded, contracted, lost = moved
        net = new.value + expanded.value - contracted.value - lost.value
        terms = f"+{_money(new.value, currency)} nouveaux, +{_money(expanded.value, currency)} d'extensions, "
        terms += f"-{_money(contracted.value, currency)} de réductions, -{_money(lost.value, currency)} de départs"
        text = f"Mouvement net du MRR en 30 jours : {terms} = {format_difference(net, currency)}"
        yield Line(text, _make({FactName.NET_MRR: net}, moved, currency))

    late = table.one(FactName.MRR_PAST_DUE, currency)
    if late is not None and mrr.value > 0:
        yield Line(f"Part du MRR en retard de paiement : {_share(late.value, mrr.value)}")


def _derive_revenue(table: FactTable, currency: str) -> Iterator[Line]:
    now, before = (table.one(name, currency) for name in (FactName.REVENUE_MONTH, FactName.REVENUE_MONTH_BEFORE))
    assert now is not None
    if before is not None:
        difference = now.value - before.value
        text = f"Encaissements nets du mois : {_money(now.value, currency)} contre {_money(before.value, currency)} "
        text += f"aux mêmes jours du mois précédent, soit {_change_of(difference, before.value, currency)}"
        yield Line(text, _make({FactName.REVENUE_DIFFERENCE: difference}, (now, before), currency))
    refunds = table.one(FactName.REFUNDS_MONTH, currency)
    if refunds is not None and refunds.value > 0:
        gross = now.value + refunds.value
        if gross > 0:
            text = f"Remboursements du mois : {_money(refunds.value, currency)} sur {_money(gross, currency)} encaissés"
            yield Line(f"{text}, soit {_share(refunds.value, gross)}")


def _derive_subscribers(table: FactTable) -> Iterator[Line]:
    active, trialing = table.one(FactName.ACTIVE_SUBSCRIPTIONS), table.one(FactName.TRIALING)
    amounts = [fact for fact in table.of_company(FactName.MRR).values() if fact.value]
    unvalued = table.one(FactName.SUBSCRIPTIONS_NOT_VALUED)
    # Subscriptions are counted over all currencies, and with those whose amount is not known.
    if active is not None and active.value > 0 and len(amounts) == 1 and not (unvalued and unvalued.value):
        (mrr,) = amounts
        mean = _round(mrr.value / active.value, 2)
        text = f"MRR moyen par abonnement actif : {_money(mrr.value, mrr.unit)} / {format_number(active.value)} = "
        facts = _make({FactName.MRR_PER_SUBSCRIPTION: mean}, (mrr, active), mrr.unit)
        yield Line(f"{text}{_money(mean, mrr.unit)}", facts)
    if active is not None and trialing is not None and trialing.value > 0:
        total = active.value + trialing.value
        yield Line(
            f"Abonnements actifs ou en essai : {format_number(total)}, dont {_share(trialing.value, total)} en essai"
        )


def _derive_availability(table: FactTable, names: Mapping[str, str]) -> Iterator[Line]:
    found = _known(table.of_platforms(FactName.UPTIME), names)
    if len(found) < _SEVERAL:
        return
    worst = min(found, key=lambda key: found[key].value)
    lowest = f"la plus basse : {names[worst]}, {format_value(found[worst].value, found[worst].unit)}"
    mean = _round(sum((fact.value for fact in found.values()), Decimal(0)) / len(found), 2)
    is_whole = len(found) == len(names)
    of = f"des {len(names)} plateformes" if is_whole else f"de {len(found)} plateformes sur {len(names)}"
    facts = _make({FactName.UPTIME: mean}, found.values()) if is_whole else ()
    yield Line(f"Disponibilité moyenne {of} : {format_value(mean, PERCENT)} (moyenne simple) ; {lowest}", facts)


def _derive_pipelines(table: FactTable, names: Mapping[str, str]) -> Iterator[Line]:
    succeeded = _known(table.of_platforms(FactName.WORKFLOW_RUNS_SUCCEEDED), names)
    failed = _known(table.of_platforms(FactName.WORKFLOW_RUNS_FAILED), names)
    if succeeded.keys() != failed.keys() or len(succeeded) < max(_SEVERAL, len(names)):
        return
    if table.counts_twice(FactName.WORKFLOW_RUNS_FAILED):
        return
    won, lost = (sum((fact.value for fact in found.values()), Decimal(0)) for found in (succeeded, failed))
    if won + lost:
        rate = _round(100 * won / (won + lost), 2)
        text = f"Pipelines de toutes les plateformes : {format_number(won)} réussites sur {format_number(won + lost)}, "
        facts = _make({FactName.WORKFLOW_SUCCESS_RATE: rate}, [*succeeded.values(), *failed.values()])
        yield Line(f"{text}soit {format_value(rate, PERCENT)}", facts)


_SEVERAL: Final = 2


def _add(table: FactTable, name: FactName, names: Mapping[str, str]) -> Iterator[Line]:
    """Add a count over the platforms; where one was not read, say over how many, and state no fact."""
    found = _known(table.of_platforms(name), names)
    if len(found) < _SEVERAL or table.one(name) is not None or table.counts_twice(name):
        return
    total = sum((fact.value for fact in found.values()), Decimal(0))
    label = f"{FACT_LABELS[name][0].upper()}{FACT_LABELS[name][1:]}"
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
        concerned = sum(fact.value > 0 for fact in found.values())
        parts += [
            f"moyenne {format_number(total / len(found), 1)}",
            f"{format_count(concerned, 'plateforme concernée', 'plateformes concernées')}",
            f"le plus : {names[most]}, {format_value(found[most].value, unit)} ({_share(found[most].value, total)})",
        ]
    yield Line(" ; ".join(parts), _make({name: total}, found.values()))


def _derive_runs(table: FactTable) -> Iterator[Line]:
    runs, before = table.one(FactName.RUNS), table.one(FactName.RUNS_BEFORE)
    if runs is not None and before is not None:
        difference = format_change(runs.value - before.value)
        percent = _percent_of(runs.value - before.value, before.value)
        text = f"Exécutions en 30 jours : {format_number(runs.value)} contre {format_number(before.value)} avant"
        yield Line(f"{text}, soit {difference}{percent}")
    completed = table.one(FactName.RUNS_COMPLETED)
    for currency, cost in table.of_company(FactName.AI_COST).items():
        if completed is not None and completed.value > 0:
            mean = format_value(_round(cost.value / completed.value, 4), currency)
            yield Line(f"Coût d'IA moyen par exécution réussie sur 30 jours : {mean}")


def _divide(table: FactTable, part: FactName, whole: FactName) -> Iterator[Line]:
    one, all_of = table.one(part), table.one(whole)
    if one is None or all_of is None or one.value > all_of.value or all_of.value == 0:
        return
    label = f"{FACT_LABELS[part][0].upper()}{FACT_LABELS[part][1:]}"
    counts = f"{format_number(one.value)} sur {format_number(all_of.value)}"
    yield Line(f"{label} : {counts}, soit {_share(one.value, all_of.value)}")


def _derive_waiting(table: FactTable) -> Iterator[Line]:
    for name, words in (
        (FactName.OLDEST_ACTION_AGE, "Plus vieille action en attente d'approbation : depuis"),
        (FactName.OLDEST_INCIDENT_AGE, "Plus vieil incident en cours : depuis"),
    ):
        fact = table.one(name)
        if fact is not None:
            yield Line(f"{words} {format_value(fact.value, fact.unit)}")


def _derive_calendar(now: datetime) -> Line:
    today = now.astimezone(TIME_ZONE).date()
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
        parts = [words.format(format_value(fact.value, fact.unit)) for fact, words in known if fact is not None]
        if parts:
            yield Line(f"{title} : {' ; '.join(parts)}")


def _known(found: Mapping[str, Fact], names: Mapping[str, str]) -> dict[str, Fact]:
    """Return the facts of the platforms that the report is about, in their order."""
    return {key: found[key] for key in names if key in found}


def _make(
    values: Mapping[FactName, Decimal | float | None], of: Iterable[Fact], currency: str | None = None
) -> tuple[Fact, ...]:
    """Make facts of the company; they hold for the oldest moment among those that they were computed from."""
    return make_facts(values, source=CALCULATIONS_SOURCE, at=min(fact.at for fact in of), currency=currency)


def _round(value: Decimal, decimals: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def _money(amount: Decimal, currency: str) -> str:
    return format_value(amount, currency)


def _share(part: Decimal, whole: Decimal) -> str:
    return format_percent(_round(100 * part / whole, 1), 1)


def _change_of(difference: Decimal, before: Decimal, currency: str) -> str:
    return f"{format_difference(difference, currency)}{_percent_of(difference, before)}"


def _percent_of(difference: Decimal, before: Decimal) -> str:
    return f" ({format_change(_round(100 * difference / before, 1), 1)} %)" if before > 0 else ""


def _clock(minutes: Decimal) -> str:
    hours, rest = divmod(round(minutes), _HOUR)
    return f"{format_number(hours)} h {rest:02d} min"


def _first_day(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
