"""« Calculs du QG »: what is computed from the facts, and what is not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.facts import COUNT, PERCENT, Fact, FactName, make_facts
from shared.findings import Collected, Finding
from workers.executive_run.calculations import Calculations, calculate
from workers.ports import Platform

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PLATFORMS = tuple(
    Platform(key=key, name=name, status="green") for key, name in (("a", "Alpha"), ("b", "Bêta"), ("c", "Gamma"))
)


def finding(
    values: Mapping[FactName, Decimal | float | None],
    *,
    subject: str | None = None,
    source: str = "github",
    currency: str | None = None,
    url: str | None = None,
    at: datetime = NOW,
) -> Finding:
    facts = make_facts(values, source=source, at=at, subject=subject, currency=currency)
    return Finding(source=source, label=source.upper(), text="", facts=facts, url=url, read_at=at)


def compute(*findings: Finding, platforms: tuple[Platform, ...] = PLATFORMS) -> Calculations:
    return calculate(Collected(findings=findings), platforms=platforms, now=NOW)


def lines_of(calculations: Calculations) -> list[str]:
    text = calculations.text.replace("\xa0", " ").replace("\u202f", " ")
    return [line.removeprefix("- ") for line in text.splitlines()]


def values_of(calculations: Calculations) -> dict[tuple[FactName, str], Decimal]:
    assert {(fact.subject, fact.source) for fact in calculations.facts} <= {(None, "calculations")}
    return {(fact.name, fact.unit): fact.value for fact in calculations.facts}


def by_platform(name: FactName, *values: float | None, source: str = "github") -> list[Finding]:
    return [
        finding({name: value}, subject=platform.key, source=source)
        for platform, value in zip(PLATFORMS, values, strict=True)
    ]


def test_a_count_of_every_platform_has_a_total_a_mean_and_a_largest_share() -> None:
    calculations = compute(*by_platform(FactName.OPEN_ISSUES, 12, 0, 33))

    assert (
        "Tickets ouverts, total des 3 plateformes : 45 ; moyenne 15,0 ; 2 plateformes concernées ; "
        "le plus : Gamma, 33 (73,3 %)" in lines_of(calculations)
    )
    assert values_of(calculations) == {(FactName.OPEN_ISSUES, COUNT): 45}


def test_where_all_are_alike_none_is_the_largest() -> None:
    calculations = compute(
        *by_platform(FactName.OPEN_PULLS, 2, 2, 2), *by_platform(FactName.UPTIME, 100, 100, 100, source="platforms")
    )

    assert lines_of(calculations)[:2] == [
        "Disponibilité moyenne des 3 plateformes : 100 % (moyenne simple)",
        "Pull requests ouvertes, total des 3 plateformes : 6 ; moyenne 2,0",
    ]


def test_a_platform_that_was_not_read_means_no_total() -> None:
    calculations = compute(*by_platform(FactName.OPEN_ISSUES, 12, None, 33))

    assert "Tickets ouverts : 45 sur 2 plateformes lues ; total des 3 inconnu" in lines_of(calculations)
    assert calculations.facts == ()


def test_what_the_company_states_itself_is_not_added_up_again() -> None:
    company = finding({FactName.OPEN_INCIDENTS: 5}, source="open_matters")

    calculations = compute(company, *by_platform(FactName.OPEN_INCIDENTS, 1, 2, 1, source="open_matters"))

    assert calculations.facts == ()


def test_two_platforms_of_one_repository_are_not_counted_twice() -> None:
    shared = "https://github.com/o/r"
    findings = [finding({FactName.OPEN_ISSUES: 4}, subject=key, url=shared) for key in "ab"]

    assert compute(*findings, platforms=PLATFORMS[:2]).facts == ()


def test_a_platform_of_another_scope_is_not_part_of_a_total() -> None:
    alien = finding({FactName.OPEN_ISSUES: 1000}, subject="elsewhere")

    calculations = compute(alien, *by_platform(FactName.OPEN_ISSUES, 1, 2, 3))

    assert values_of(calculations)[(FactName.OPEN_ISSUES, COUNT)] == 6
    assert "1000" not in calculations.text


def test_an_outage_is_said_in_hours_and_minutes_too() -> None:
    calculations = compute(
        *by_platform(FactName.OUTAGE, 216, 0, 30, source="platforms"),
        *by_platform(FactName.UPTIME, 99.5, 100, 99.93, source="platforms"),
    )

    text = "\n".join(lines_of(calculations))
    assert "Indisponibilité sur 30 jours, total des 3 plateformes : 246 minutes (4 h 06 min)" in text
    assert "Disponibilité moyenne des 3 plateformes : 99,81 % (moyenne simple) ; la plus basse : Alpha, 99,5 %" in text
    assert values_of(calculations)[(FactName.UPTIME, PERCENT)] == Decimal("99.81")


def test_the_rate_of_all_pipelines_is_that_of_their_sums() -> None:
    calculations = compute(
        *by_platform(FactName.WORKFLOW_RUNS_SUCCEEDED, 1, 10, 20),
        *by_platform(FactName.WORKFLOW_RUNS_FAILED, 9, 0, 0),
    )

    assert values_of(calculations)[(FactName.WORKFLOW_SUCCESS_RATE, PERCENT)] == Decimal("77.5")
    assert "Pipelines de toutes les plateformes : 31 réussites sur 40, soit 77,5 %" in lines_of(calculations)


def test_the_pipelines_of_what_was_read_are_added_and_state_no_rate_of_all() -> None:
    calculations = compute(
        *by_platform(FactName.WORKFLOW_RUNS_SUCCEEDED, 1, 10, None),
        *by_platform(FactName.WORKFLOW_RUNS_FAILED, 9, 0, None),
    )

    assert (FactName.WORKFLOW_SUCCESS_RATE, PERCENT) not in values_of(calculations)
    assert "Pipelines de 2 plateformes sur 3 : 11 réussites sur 20, soit 55 %" in lines_of(calculations)


MONEY: dict[FactName, Decimal | float | None] = {
    FactName.MRR: Decimal("3046.46"),
    FactName.MRR_BEFORE: Decimal(3000),
    FactName.NEW_MRR: 120,
    FactName.EXPANDED_MRR: 30,
    FactName.CONTRACTED_MRR: 20,
    FactName.LOST_MRR: Decimal("83.54"),
    FactName.MRR_PAST_DUE: Decimal("152.32"),
    FactName.REVENUE_MONTH: 1200,
    FactName.REVENUE_MONTH_BEFORE: 900,
    FactName.REFUNDS_MONTH: 50,
    FactName.ACTIVE_SUBSCRIPTIONS: 120,
    FactName.TRIALING: 30,
}


def test_money_is_annualised_compared_and_divided() -> None:
    calculations = compute(finding(MONEY, source="stripe", currency="eur"))

    assert lines_of(calculations)[:8] == [
        "Revenu récurrent annualisé (ARR) : 12 fois 3 046,46 EUR de MRR = 36 557,52 EUR",
        "MRR : +46,46 EUR (+1,5 %) en 30 jours, contre 3 000,00 EUR",
        (
            "Mouvement net du MRR en 30 jours : +120,00 EUR nouveaux, +30,00 EUR d'extensions, "
            "-20,00 EUR de réductions, -83,54 EUR de départs = +46,46 EUR (gagnés : 150,00 EUR ; perdus : 103,54 EUR)"
        ),
        "Part du MRR en retard de paiement : 5,0 %",
        (
            "Encaissements nets du mois : 1 200,00 EUR contre 900,00 EUR aux mêmes jours du mois précédent, "
            "soit +300,00 EUR (+33,3 %)"
        ),
        "Remboursements du mois : 50,00 EUR sur 1 250,00 EUR encaissés, soit 4,0 %",
        "MRR moyen par abonnement actif : 3 046,46 EUR / 120 = 25,39 EUR",
        "Abonnements actifs ou en essai : 150, dont 20,0 % en essai",
    ]
    assert values_of(calculations) == {
        (FactName.ARR, "EUR"): Decimal("36557.52"),
        (FactName.NET_MRR, "EUR"): Decimal("46.46"),
        (FactName.REVENUE_DIFFERENCE, "EUR"): 300,
        (FactName.MRR_PER_SUBSCRIPTION, "EUR"): Decimal("25.39"),
    }


def test_subscriptions_of_two_currencies_have_no_mean() -> None:
    dollars = finding({FactName.MRR: 10}, source="stripe", currency="usd")

    calculations = compute(finding(MONEY, source="stripe", currency="eur"), dollars)

    values = values_of(calculations)
    assert [values[(FactName.ARR, currency)] for currency in ("EUR", "USD")] == [Decimal("36557.52"), 120]
    assert not [name for name, _ in values if name is FactName.MRR_PER_SUBSCRIPTION]


def test_subscriptions_without_a_known_amount_have_no_mean() -> None:
    unknown = {FactName.SUBSCRIPTIONS_NOT_VALUED: 1}

    calculations = compute(finding(MONEY | unknown, source="stripe", currency="eur"))

    assert (FactName.MRR_PER_SUBSCRIPTION, "EUR") not in values_of(calculations)


def test_nothing_is_divided_by_nothing() -> None:
    nothing = dict.fromkeys(MONEY, 0)
    runs = dict.fromkeys((FactName.RUNS, FactName.RUNS_BEFORE, FactName.RUNS_COMPLETED, FactName.AI_COST), 0)

    lines = lines_of(compute(finding({**nothing, **runs}, source="stripe", currency="eur")))

    assert (
        "Encaissements nets du mois : 0,00 EUR contre 0,00 EUR aux mêmes jours du mois précédent, soit 0,00 EUR"
        in lines
    )
    assert not any("%" in line or "/" in line for line in lines)


def test_two_sources_that_differ_are_named_and_nothing_is_computed_from_them() -> None:
    one = finding({FactName.RUNS: 8, FactName.RUNS_BEFORE: 4}, source="run_history")
    other = finding({FactName.RUNS: 9}, source="agents", at=NOW - timedelta(minutes=1))

    calculations = compute(one, other)

    (conflict,) = calculations.conflicts
    assert {fact.source: fact.value for fact in conflict.facts} == {"run_history": 8, "agents": 9}
    assert conflict.sentence == (
        "Données contradictoires, exécutions en 30 jours : 9 d'après « AGENTS », 8 d'après « RUN_HISTORY »."
    )
    assert "contre" not in calculations.text


def test_values_that_are_equal_rounded_differently_or_of_another_hour_are_no_conflict() -> None:
    at = NOW - timedelta(hours=3)

    calculations = compute(
        finding({FactName.AI_COST: Decimal("0.1234"), FactName.RUNS: 8}, source="run_history", currency="eur"),
        finding({FactName.AI_COST: Decimal("0.12")}, source="agents", currency="eur"),
        finding({FactName.RUNS: 7}, source="agents", at=at),
    )

    assert calculations.conflicts == ()


def test_one_source_that_gives_a_fact_twice_is_taken_at_its_word_of_last() -> None:
    early = finding({FactName.TABLES: 5, FactName.TABLES_WITHOUT_RLS: 1}, at=NOW - timedelta(minutes=1))
    late = finding({FactName.TABLES: 10})

    assert "Tables sans RLS : 1 sur 10, soit 10,0 %" in lines_of(compute(late, early))


def test_what_is_left_of_the_period_is_counted_from_the_day_in_paris() -> None:
    last_minute = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)  # already December in Paris

    text = calculate(Collected(), platforms=(), now=last_minute).text

    assert text == (
        "- Après aujourd'hui, il reste 30 jours dans le mois, 30 jours dans le trimestre (T4) "
        "et 30 jours dans l'année 2026"
    )


def test_a_platform_is_said_with_its_ages() -> None:
    ages = {FactName.LAST_COMMIT_AGE: 1, FactName.LAST_RELEASE_AGE: 40, FactName.OLDEST_ISSUE_AGE: 92}

    calculations = compute(finding(ages, subject="b"), platforms=PLATFORMS[1:2])

    assert lines_of(calculations)[-1] == (
        "Bêta : dernier commit il y a 1 jour ; dernière version il y a 40 jours ; "
        "plus vieux ticket ouvert depuis 92 jours"
    )


def test_a_period_is_compared_with_the_one_before() -> None:
    values = {
        FactName.PAGE_VIEWS_WEEK: 90,
        FactName.PAGE_VIEWS_WEEK_BEFORE: 120,
        FactName.OLDEST_UNREAD_AGE: 4,
        FactName.PERSONAL_TABLES: 8,
        FactName.PERSONAL_TABLES_OPEN: 2,
    }

    lines = lines_of(compute(finding(values, source="audience")))

    assert lines[0].endswith(" : 90 contre 120 avant, soit -30 (-25,0 %)")
    assert lines[1].endswith(" : 2 sur 8, soit 25,0 %")
    assert lines[2] == "Plus vieux message non lu depuis 4 jours"


def test_nothing_is_zero_days_old() -> None:
    calculations = compute(finding({FactName.LAST_COMMIT_AGE: 0}, subject="b"), platforms=PLATFORMS[1:2])

    assert lines_of(calculations)[-1] == "Bêta : dernier commit il y a moins d'un jour"


def test_the_main_currency_comes_first_and_the_others_after_the_platforms() -> None:
    dollars = finding({FactName.MRR: 10**6}, source="stripe", currency="aud")

    lines = lines_of(
        compute(dollars, finding(MONEY, source="stripe", currency="eur"), *by_platform(FactName.OPEN_PULLS, 1, 2, 3))
    )

    assert "EUR" in lines[0]
    assert "12 fois 1 000 000,00 AUD" in lines[-2]


def test_the_facts_are_as_old_as_the_oldest_of_what_they_come_from() -> None:
    old = NOW - timedelta(hours=1)
    findings = [finding({FactName.OPEN_ISSUES: 1}, subject=key, at=at) for key, at in (("a", NOW), ("b", old))]

    (fact,) = compute(*findings, platforms=PLATFORMS[:2]).facts

    assert fact == Fact(
        name=FactName.OPEN_ISSUES, subject=None, value=Decimal(2), unit=COUNT, at=old, source="calculations"
    )


def test_a_change_from_next_to_nothing_has_no_percent() -> None:
    values = {FactName.MRR: Decimal(10**12), FactName.MRR_BEFORE: Decimal("1E-20")}

    lines = lines_of(compute(finding(values, source="stripe", currency="EUR")))

    (line,) = (line for line in lines if line.startswith("MRR : "))
    assert "%" not in line


def test_no_share_of_next_to_nothing_is_stated() -> None:
    values = {FactName.MRR: Decimal("1E-20"), FactName.MRR_PAST_DUE: Decimal(10**12)}

    assert not any("Part du MRR" in line for line in lines_of(compute(finding(values, currency="EUR"))))
