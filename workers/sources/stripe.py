"""The company's earnings in a report: the figures that the finance screens show, and what they leave out."""

from typing import Final

from pydantic import JsonValue

from shared.facts import Fact, FactName, make_facts
from shared.findings import Collected, Finding, Gap, GapReason
from shared.french import (
    format_change,
    format_count,
    format_moment,
    format_money,
    format_number,
    format_percent,
    pluralize,
)
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.finance.figures import NO_CHANGE, NO_CHURN, Figures, Plan, day_of
from workers.finance.revenue import DatedFigures, RevenueService
from workers.ports import SOURCE_TEXT_CHARS, Subject
from workers.sources.gaps import describe_gap, label_of
from workers.sources.revenue_series import describe_series

_PERIODS: Final = {
    "day": ("jour", "jours"),
    "week": ("semaine", "semaines"),
    "month": ("mois", "mois"),
    "year": ("an", "ans"),
}
_NAMES_CHARS: Final = 200
_URL: Final = "https://dashboard.stripe.com/billing/overview"


class StripeSource:
    """Describes the earnings.

    Shape: one Finding, or one Gap naming why there is none; more Gaps for what the figures leave out.
    Cost: none while the figures are fresh; else one reading, shared with the screens.
    """

    name: Final[str] = SourceName.STRIPE.value

    def __init__(self, revenue: RevenueService) -> None:
        self._revenue = revenue

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; the earnings are the whole company's, whatever the platform."""
        del subject
        label = label_of(self.name)
        current = await self._revenue.read()
        figures = current.figures
        finding = Finding(
            source=self.name,
            label=label,
            text=shorten("\n".join(_describe(current)), SOURCE_TEXT_CHARS),
            data=_render_data(figures),
            facts=_make_facts(figures),
            url=_URL,
            read_at=figures.read_at,
        )
        return Collected(findings=(finding,), gaps=tuple(_left_out(current, label)))


def _render_data(figures: Figures) -> dict[str, JsonValue]:
    """Render the figures flat, because a screen may print them; leave out what is not known."""
    numbers = {
        "mrr": figures.mrr,
        "mrr_change_percent": figures.mrr_change_percent,
        "active_subscriptions": figures.active_subscriptions,
        "churn_rate": figures.churn_rate,
        "customers": figures.customers,
        "revenue_this_month": figures.revenue_this_month,
        "revenue_last_month": figures.revenue_last_month,
    }
    # As strings, they lose no cent.
    found = {name: value for name, value in numbers.items() if value is not None}
    known: dict[str, JsonValue] = {name: each if isinstance(each, int) else str(each) for name, each in found.items()}
    return {"currency": figures.currency, **known}


def _make_facts(figures: Figures) -> tuple[Fact, ...]:
    source, at = SourceName.STRIPE.value, figures.read_at
    facts = make_facts(
        {
            FactName.MRR: figures.mrr,
            FactName.MRR_BEFORE: figures.mrr_before,
            FactName.MRR_CHANGE: figures.mrr_change_percent,
            FactName.MRR_PAST_DUE: figures.mrr_past_due,
            FactName.NEW_MRR: figures.mrr_new,
            FactName.EXPANDED_MRR: figures.mrr_expanded,
            FactName.CONTRACTED_MRR: figures.mrr_contracted,
            FactName.LOST_MRR: figures.mrr_lost,
            FactName.REVENUE_MONTH: figures.revenue_this_month,
            FactName.REVENUE_MONTH_BEFORE: figures.revenue_same_days,
            FactName.REVENUE_LAST_MONTH: figures.revenue_last_month,
            FactName.REFUNDS_MONTH: figures.refunds_this_month,
            FactName.ACTIVE_SUBSCRIPTIONS: figures.active_subscriptions,
            FactName.ACTIVE_SUBSCRIPTIONS_CHANGE: figures.active_subscriptions_change,
            FactName.SUBSCRIPTIONS_NOT_VALUED: figures.not_computable,
            FactName.TRIALING: figures.trialing,
            FactName.CUSTOMERS: figures.customers,
            FactName.NEW_CUSTOMERS_MONTH: figures.new_customers_this_month,
            FactName.CHURNED_CUSTOMERS: figures.churned,
            FactName.CHURN_RATE: figures.churn_rate,
            FactName.CHURN_RATE_CHANGE: figures.churn_rate_change,
        },
        source=source,
        at=at,
        currency=figures.currency,
    )
    for other in figures.other_currencies:
        values = {
            FactName.MRR: other.mrr,
            FactName.REVENUE_MONTH: other.revenue_this_month,
            FactName.REVENUE_LAST_MONTH: other.revenue_last_month,
        }
        facts += make_facts(values, source=source, at=at, currency=other.currency)
    return facts


def _left_out(current: DatedFigures, label: str) -> list[Gap]:
    figures = current.figures
    gaps = []
    if current.stale_because is not None:
        old = f"{current.stale_because.sentence} Les chiffres du rapport datent du {format_moment(figures.read_at)}."
        gap = describe_gap(current.stale_because, source=SourceName.STRIPE, label=label)
        gaps.append(gap.model_copy(update={"sentence": old}))
    if figures.not_computable:
        uncounted = format_count(
            figures.not_computable, "abonnement actif n'est pas compté", "abonnements actifs ne sont pas comptés"
        )
        sentence = (
            f"{uncounted} dans le revenu récurrent : "
            "le montant ne se lit pas chez Stripe (prix à paliers, remise, devise ou taxe comprise illisible)."
        )
        gaps.append(Gap(source=SourceName.STRIPE, label=label, reason=GapReason.UNAVAILABLE, sentence=sentence))
    if figures.unreadable:
        odd = format_count(
            len(figures.unreadable), "objet de Stripe illisible est laissé", "objets de Stripe illisibles sont laissés"
        )
        sentence = f"{odd} de côté dans les chiffres : {shorten(', '.join(figures.unreadable), _NAMES_CHARS)}."
        gaps.append(Gap(source=SourceName.STRIPE, label=label, reason=GapReason.UNAVAILABLE, sentence=sentence))
    return gaps


def _describe(current: DatedFigures) -> list[str]:
    figures = current.figures
    currency = figures.currency
    return [
        f"Chiffres de toute l'entreprise lus chez Stripe le {format_moment(figures.read_at)}, en {currency.upper()}.",
        (
            f"- Revenu récurrent mensuel (MRR) : {format_money(figures.mrr, currency)}{_describe_change(figures)} ; "
            f"dont {format_money(figures.mrr_past_due, currency)} en retard de paiement."
        ),
        *([f"- {NO_CHANGE}"] if figures.mrr_change_percent is None else []),
        *_describe_movement(figures),
        (
            f"- Abonnements actifs : {format_number(figures.active_subscriptions)} "
            f"({format_change(figures.active_subscriptions_change)} en 30 jours) ; "
            f"en essai : {format_number(figures.trialing)}."
        ),
        f"- {_describe_churn(figures)}",
        (
            f"- Clients : {format_number(figures.customers)}, "
            f"dont {format_count(figures.new_customers_this_month, 'nouveau', 'nouveaux')} ce mois-ci."
        ),
        (
            f"- Encaissements nets de remboursements : {format_money(figures.revenue_this_month, currency)} ce mois-ci "
            f"(mois en cours), {format_money(figures.revenue_last_month, currency)} le mois dernier."
        ),
        *_describe_month(figures),
        *(
            f"- À part, en {other.currency.upper()} (jamais additionné) : "
            f"MRR {format_money(other.mrr, other.currency)}, "
            f"encaissé {format_money(other.revenue_this_month, other.currency)} ce mois-ci, "
            f"{format_money(other.revenue_last_month, other.currency)} le mois dernier."
            for other in figures.other_currencies
        ),
        "Prix en vigueur, par nombre d'abonnements :",
        *(map(_describe_plan, figures.plans) if figures.plans else ["- aucun"]),
        *describe_series(current.days, day_of(figures.read_at), currency),
    ]


def _describe_change(figures: Figures) -> str:
    change = figures.mrr_change_percent
    return "" if change is None else f", {format_change(change, 2)} % en 30 jours"


def _describe_movement(figures: Figures) -> list[str]:
    moved = (figures.mrr_new, figures.mrr_expanded, figures.mrr_contracted, figures.mrr_lost)
    known = [format_money(amount, figures.currency) for amount in moved if amount is not None]
    if len(known) < len(moved):
        return []
    new, expanded, contracted, lost = known
    line = "- Mouvement du MRR en 30 jours, par client, aux prix et quantités d'aujourd'hui : "
    return [f"{line}nouveau {new}, extension {expanded}, réduction {contracted}, perdu {lost}."]


def _describe_month(figures: Figures) -> list[str]:
    lines = []
    if figures.revenue_same_days is not None:
        before = format_money(figures.revenue_same_days, figures.currency)
        lines.append(f"- Aux mêmes jours du mois dernier, à la même heure : {before} encaissés nets.")
    if figures.refunds_this_month is not None:
        refunds = format_money(figures.refunds_this_month, figures.currency)
        lines.append(f"- Remboursements du mois en cours, déjà déduits : {refunds}.")
    return lines


def _describe_churn(figures: Figures) -> str:
    if figures.churn_rate is None:
        return NO_CHURN
    rate = f"Attrition des abonnés sur 30 jours : {format_percent(figures.churn_rate, 2)}"
    if figures.churned is not None:
        rate += f", soit {format_count(figures.churned, 'abonné parti', 'abonnés partis')}"
    change = figures.churn_rate_change
    if change is None:
        return f"{rate}."
    points = f"{format_change(change, 2)} {pluralize(change, 'point', 'points')}"
    return f"{rate} ({points} par rapport aux 30 jours précédents)."


def _describe_plan(plan: Plan) -> str:
    one, many = _PERIODS[plan.interval]
    every = f"par {one}" if plan.interval_count == 1 else f"pour {format_count(plan.interval_count, one, many)}"
    price = "prix à paliers" if plan.amount is None else format_money(plan.amount, plan.currency)
    name = f"{clean_line(plan.name, 80)} : " if plan.name else ""
    return f"- {name}{price} {every} — {format_count(plan.subscriptions, 'abonnement', 'abonnements')}"
