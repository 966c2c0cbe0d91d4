"""The earnings in a report: the same figures as on the screens, and what is missing is named."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock, TodaysClock
from support.sources import collect_from

from devstack.vendors import VendorsClient
from shared.facts import COUNT, PERCENT, FactName
from shared.findings import Collected, Finding, GapReason
from shared.french import format_date, format_moment
from shared.registry import find_run_type
from workers.finance.figures import Figures, day_of
from workers.finance.revenue import DatedFigures, RevenueService
from workers.finance.stripe import StripeReader
from workers.ports import FinanceSnapshot, Subject
from workers.settings import StripeSettings
from workers.sources.stripe import StripeSource


class NoHistory:
    async def read(self, since: date, *, figures_since: date) -> Sequence[FinanceSnapshot]:
        del since, figures_since
        return ()

    async def record(self, snapshots: Sequence[FinanceSnapshot]) -> None:
        del snapshots


def open_revenue(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, **more: Any) -> RevenueService:
    settings = StripeSettings.model_validate(
        {"base_url": f"{vendors.base_url}/stripe", "key": SecretStr("rk_canary0123456789")} | more
    )
    return RevenueService(StripeReader(http, settings, clock=clock), NoHistory(), settings, clock=clock)


@pytest.fixture
def clock() -> FakeClock:
    return TodaysClock()


@pytest.fixture
def revenue(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> RevenueService:
    return open_revenue(vendors, http, clock)


async def collect(revenue: RevenueService, run_type: str = "FINANCIAL_REPORT") -> Collected:
    return await collect_from(StripeSource(revenue), Subject(run_type=find_run_type(run_type), platforms=()))


async def find(revenue: RevenueService) -> Finding:
    (finding,) = (await collect(revenue)).findings
    return finding


@pytest.mark.parametrize("run_type", ["FINANCIAL_REPORT", "REVENUE_FORECAST", "PRICING_CHANGE"])
async def test_a_report_has_the_figures_of_the_screens(run_type: str, revenue: RevenueService) -> None:
    collected = await collect(revenue, run_type)

    figures = (await revenue.read()).figures
    (finding,) = collected.findings
    assert collected.gaps == ()
    assert (finding.source, finding.label, finding.read_at) == ("stripe", "Stripe · revenus", figures.read_at)
    assert finding.data["mrr"] == str(figures.mrr)
    assert finding.data["revenue_last_month"] == str(figures.revenue_last_month)
    assert Decimal(str(finding.data["mrr"])) > 1000


async def test_the_text_writes_each_figure_as_french_readers_write_it(revenue: RevenueService) -> None:
    finding = await find(revenue)

    figures = (await revenue.read()).figures
    mrr = f"{figures.mrr:,.2f}".replace(",", "\u202f").replace(".", ",")
    assert f"Revenu récurrent mensuel (MRR) : {mrr} EUR" in finding.text
    assert f"Abonnements actifs : {figures.active_subscriptions} " in finding.text
    assert "Clients : 140" in finding.text
    assert "À part, en USD (jamais additionné)" in finding.text
    assert "- 29,00 EUR par mois — " in finding.text
    assert "- prix à paliers par mois — " in finding.text
    assert "4\u202f900 JPY par mois" in finding.text


async def test_the_facts_are_the_figures_and_no_currency_is_added_to_another(revenue: RevenueService) -> None:
    finding = await find(revenue)

    figures = (await revenue.read()).figures
    values = {(fact.name, fact.unit): fact.value for fact in finding.facts}
    assert len(values) == len(finding.facts)
    assert {(fact.subject, fact.source, fact.at) for fact in finding.facts} == {(None, "stripe", figures.read_at)}
    others = {other.currency.upper(): other.mrr for other in figures.other_currencies}
    assert "USD" in others
    assert {unit: values[(FactName.MRR, unit)] for unit in others} == others
    for name, value in {
        FactName.MRR: figures.mrr,
        FactName.MRR_BEFORE: figures.mrr_before,
        FactName.NEW_MRR: figures.mrr_new,
        FactName.LOST_MRR: figures.mrr_lost,
        FactName.REVENUE_MONTH_BEFORE: figures.revenue_same_days,
        FactName.REFUNDS_MONTH: figures.refunds_this_month,
    }.items():
        assert value is not None
        assert values[(name, "EUR")] == value
    assert values[(FactName.CUSTOMERS, COUNT)] == 140
    assert values[(FactName.CHURNED_CUSTOMERS, COUNT)] == figures.churned
    assert values[(FactName.CHURN_RATE, PERCENT)] == figures.churn_rate
    assert values[(FactName.TRIALING, COUNT)] == figures.trialing


async def test_the_text_states_the_movement_the_month_and_the_days_before(
    revenue: RevenueService, clock: FakeClock
) -> None:
    text = (await find(revenue)).text

    assert "- Mouvement du MRR en 30 jours, par client, aux prix et quantités d'aujourd'hui : nouveau " in text
    assert "- Aux mêmes jours du mois dernier, à la même heure : " in text
    assert "- Remboursements du mois en cours, déjà déduits : " in text
    assert "abonnés partis" in text or "abonné parti" in text
    assert "Historique du MRR" in text
    assert f"- {format_date(day_of(clock.now()) - timedelta(weeks=1))} : " in text
    assert text.count("(reconstitué)") == 8  # of the sixty days that a first reading can reconstruct
    assert not text.endswith("…")


async def test_figures_that_an_older_version_stored_are_told_without_what_it_did_not_compute(
    revenue: RevenueService,
) -> None:
    names = ("mrr_before", "mrr_new", "mrr_expanded", "mrr_contracted", "mrr_lost", "churned", "revenue_same_days")
    stored = (await revenue.read()).figures.model_dump(exclude={*names, "refunds_this_month"})
    older = DatedFigures(Figures.model_validate(stored))

    class Older(RevenueService):
        def __init__(self) -> None: ...

        async def read(self) -> DatedFigures:
            return older

    finding = await find(Older())

    assert not {fact.name for fact in finding.facts} & {FactName.NEW_MRR, FactName.MRR_BEFORE, FactName.REFUNDS_MONTH}
    assert "Mouvement" not in finding.text


async def test_without_a_key_the_gap_says_which(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    collected = await collect(open_revenue(vendors, http, clock, key=None))

    assert collected.findings == ()
    (gap,) = collected.gaps
    assert gap.reason is GapReason.NOT_CONFIGURED
    assert "STRIPE_SECRET_KEY" in gap.sentence


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"status": 403}, GapReason.REJECTED),
        ({"status": 500}, GapReason.UNAVAILABLE),
        ({"cut": True}, GapReason.UNAVAILABLE),
    ],
    ids=str,
)
async def test_silence_is_a_gap(
    step: dict[str, Any], reason: GapReason, revenue: RevenueService, vendors: VendorsClient
) -> None:
    await vendors.script("stripe", step, repeat=True)

    collected = await collect(revenue)

    assert collected.findings == ()
    assert [gap.reason for gap in collected.gaps] == [reason]


async def test_old_figures_come_with_a_gap_that_says_how_old(
    revenue: RevenueService, vendors: VendorsClient, clock: FakeClock
) -> None:
    began = clock.now()
    await collect(revenue)
    clock.advance(timedelta(hours=5))
    await vendors.script("stripe", {"status": 500}, repeat=True)

    collected = await collect(revenue)

    assert len(collected.findings) == 1
    (gap,) = collected.gaps
    assert gap.reason is GapReason.UNAVAILABLE
    assert f"Les chiffres du rapport datent du {format_moment(began)}." in gap.sentence


async def test_what_could_not_be_valued_is_named(revenue: RevenueService, vendors: VendorsClient) -> None:
    await vendors.script("stripe", {"match": "/prices/price_team", "merge": {"tiers": []}})

    collected = await collect(revenue)

    assert len(collected.findings) == 1
    assert [gap.reason for gap in collected.gaps] == [GapReason.UNAVAILABLE]
    assert "ne sont pas comptés" in collected.gaps[0].sentence
