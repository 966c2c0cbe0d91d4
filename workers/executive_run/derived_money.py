"""The rules of « Calculs du QG » for money: each within one currency."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from shared.fact_labels import format_difference, format_value
from shared.facts import FactName
from shared.french import format_number
from workers.executive_run.calculation_lines import (
    MOST_TIMES,
    Line,
    format_change_of,
    format_share,
    make,
    round_half_up,
)
from workers.executive_run.fact_table import FactTable

_AMOUNTS: Final = tuple(name for name in FactName if name.unit is None)


def rank_currencies(table: FactTable) -> list[str]:
    """Return the currencies, the one of which most is known first."""
    known = Counter(currency for name in _AMOUNTS for currency in table.of_company(name))
    return sorted(known, key=lambda currency: (-known[currency], currency))


def derive_money(table: FactTable, currency: str) -> Iterator[Line]:
    """Yield what follows from the amounts of one currency."""
    if table.one(FactName.MRR, currency) is not None:
        yield from _derive_recurring(table, currency)
    if table.one(FactName.REVENUE_MONTH, currency) is not None:
        yield from _derive_revenue(table, currency)


def _derive_recurring(table: FactTable, currency: str) -> Iterator[Line]:
    mrr = table.one(FactName.MRR, currency)
    assert mrr is not None
    annual = 12 * mrr.value
    text = (
        f"Revenu récurrent annualisé (ARR) : 12 fois {_money(mrr.value, currency)} de MRR = {_money(annual, currency)}"
    )
    yield Line(text, make({FactName.ARR: annual}, (mrr,), currency))

    before = table.one(FactName.MRR_BEFORE, currency)
    if before is not None:
        difference = mrr.value - before.value
        change = format_change_of(difference, before.value, currency)
        yield Line(f"MRR : {change} en 30 jours, contre {_money(before.value, currency)}")

    names = (FactName.NEW_MRR, FactName.EXPANDED_MRR, FactName.CONTRACTED_MRR, FactName.LOST_MRR)
    moved = [fact for name in names if (fact := table.one(name, currency)) is not None]
    if len(moved) == len(names):
        new, expanded, contracted, lost = moved
        net = new.value + expanded.value - contracted.value - lost.value
        terms = f"+{_money(new.value, currency)} nouveaux, +{_money(expanded.value, currency)} d'extensions, "
        terms += f"-{_money(contracted.value, currency)} de réductions, -{_money(lost.value, currency)} de départs"
        text = f"Mouvement net du MRR en 30 jours : {terms} = {format_difference(net, currency)}"
        sums = (_money(new.value + expanded.value, currency), _money(contracted.value + lost.value, currency))
        text += f" (gagnés : {sums[0]} ; perdus : {sums[1]})"
        yield Line(text, make({FactName.NET_MRR: net}, moved, currency))

    late = table.one(FactName.MRR_PAST_DUE, currency)
    if late is not None and mrr.value > 0 and late.value <= MOST_TIMES * mrr.value:
        yield Line(f"Part du MRR en retard de paiement : {format_share(late.value, mrr.value)}")


def _derive_revenue(table: FactTable, currency: str) -> Iterator[Line]:
    now, before = (table.one(name, currency) for name in (FactName.REVENUE_MONTH, FactName.REVENUE_MONTH_BEFORE))
    assert now is not None
    if before is not None:
        difference = now.value - before.value
        text = f"Encaissements nets du mois : {_money(now.value, currency)} contre {_money(before.value, currency)} "
        text += f"aux mêmes jours du mois précédent, soit {format_change_of(difference, before.value, currency)}"
        yield Line(text, make({FactName.REVENUE_DIFFERENCE: difference}, (now, before), currency))
    refunds = table.one(FactName.REFUNDS_MONTH, currency)
    if refunds is not None and refunds.value > 0:
        gross = now.value + refunds.value
        if gross > 0:
            text = f"Remboursements du mois : {_money(refunds.value, currency)} sur {_money(gross, currency)} encaissés"
            yield Line(f"{text}, soit {format_share(refunds.value, gross)}")


def derive_subscribers(table: FactTable) -> Iterator[Line]:
    """Yield what follows from the number of subscriptions, which counts those of all currencies."""
    active, trialing = table.one(FactName.ACTIVE_SUBSCRIPTIONS), table.one(FactName.TRIALING)
    amounts = [fact for fact in table.of_company(FactName.MRR).values() if fact.value]
    unvalued = table.one(FactName.SUBSCRIPTIONS_NOT_VALUED)
    # Subscriptions are counted over all currencies, and with those whose amount is not known.
    if active is not None and active.value > 0 and len(amounts) == 1 and not (unvalued and unvalued.value):
        (mrr,) = amounts
        mean = round_half_up(mrr.value / active.value, 2)
        text = f"MRR moyen par abonnement actif : {_money(mrr.value, mrr.unit)} / {format_number(active.value)} = "
        facts = make({FactName.MRR_PER_SUBSCRIPTION: mean}, (mrr, active), mrr.unit)
        yield Line(f"{text}{_money(mean, mrr.unit)}", facts)
    if active is not None and trialing is not None and trialing.value > 0:
        total = active.value + trialing.value
        text = f"Abonnements actifs ou en essai : {format_number(total)}, dont "
        yield Line(f"{text}{format_share(trialing.value, total)} en essai")


def _money(amount: Decimal, currency: str) -> str:
    return format_value(amount, currency)
