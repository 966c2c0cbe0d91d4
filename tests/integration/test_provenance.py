"""Each report is fed with the data that it promises, says where they came from, and admits what is missing."""

import zlib
from typing import Any
from uuid import UUID

import pytest
from support.database import Row
from support.host import STUDIO
from support.hq import Hq
from support.sites import watch_for_two_days
from support.source_keys import keys

from shared.language_models import CANDIDATES
from shared.registry import RUN_TYPES, ModelTier, RunType, SourceName

LABELS = {
    SourceName.PLATFORMS: "Base du QG",
    SourceName.OPEN_MATTERS: "Base du QG",
    SourceName.GITHUB: "GitHub API",
    SourceName.GITHUB_ACTIONS: "GitHub Actions",
    SourceName.GITHUB_ALERTS: "GitHub Dependabot",
    SourceName.PERPLEXITY: "Perplexity AI",
    SourceName.FIRECRAWL: "Firecrawl",
    SourceName.DATABASE_CATALOGUE: "Catalogue de la base",
    SourceName.RUN_HISTORY: "Historique des exécutions",
    SourceName.STRIPE: "Stripe",
    SourceName.AGENTS_WORK: "Historique des exécutions",
    SourceName.COMMERCIAL: "Base du QG",
    SourceName.AUDIENCE: "Audience du site",
    SourceName.CONTACTS: "Base du QG",
    SourceName.DECISIONS: "Base du QG",
    SourceName.PERSONAL_DATA: "Catalogue de la base",
}

MARKS = {
    SourceName.PLATFORMS: "disponibilité 100,0 % depuis le ",
    SourceName.OPEN_MATTERS: "Publier la 2.1 (risque élevé)",
    SourceName.GITHUB: "laeticiamng/nearvity : 4 tickets ouverts, 3 pull requests ouvertes",
    SourceName.GITHUB_ACTIONS: "48 exécutions de pipeline enregistrées",
    SourceName.GITHUB_ALERTS: "130 alertes de dépendance ouvertes",
    SourceName.FIRECRAWL: "EUR par mois",
    SourceName.DATABASE_CATALOGUE: "hq.runs : RLS active",
    SourceName.RUN_HISTORY: "30 derniers jours",
    SourceName.STRIPE: "Clients : 140",
    SourceName.COMMERCIAL: "en négociation",
    SourceName.AUDIENCE: "7 derniers jours : 1 page vue",
    SourceName.DECISIONS: "Journal de la présidence",
}
"""Something that only the source's own data hold."""


@pytest.fixture(autouse=True)
def lived_in(hq: Hq) -> None:
    """Give every source something to read, as it is in an HQ that is used."""
    watch_for_two_days(hq.database)
    hq.database.sql.execute(STUDIO)
    hq.database.run(
        "insert into hq.studio_deals (project_name, deal_type, status) values ('p', 'partnership', 'in_negotiation')"
    )
    hq.database.run(
        "insert into public.analytics_events (event_type, page_path, session_id) values ('page_view', '/', 's')"
    )


def marks_of(run_type: RunType) -> list[str]:
    marks = [MARKS[source] for source in run_type.sources if source in MARKS]
    if run_type.search is not None:
        marks.append(f"Repère {zlib.crc32(run_type.search.query.encode()) % 1_000} :")
    return marks


async def finish(hq: Hq, *run_types: RunType) -> dict[str, Row]:
    asked = {run_type.key: hq.ask(run_type.key) for run_type in run_types}
    return {key: await hq.settled(run_id, within=90) for key, run_id in asked.items()}


def evidence_of(hq: Hq, run_id: UUID) -> list[Row]:
    query = "select evidence_type, data, source_url from hq.run_evidence where run_id = %s order by created_at"
    return hq.rows(query, run_id)


async def prompts(hq: Hq) -> dict[str, str]:
    """Return what the model was asked, by the label of the report."""
    calls: list[dict[str, Any]] = await hq.vendors.calls("openai")
    users = [call["body"]["messages"][1]["content"] for call in calls]
    return {user.partition("Rapport demandé : ")[2].partition(".\n")[0]: user for user in users}


async def test_every_report_holds_its_data_and_tells_exactly_where_they_came_from(hq: Hq) -> None:
    hq.database.run("insert into hq.actions (action_type, title, risk_level) values ('x', 'Publier la 2.1', 'high')")
    hq.database.run("insert into hq.runs (run_type, status) values ('SEO_AUDIT', 'completed')")
    await hq.worker(keys(hq))

    runs = await finish(hq, *RUN_TYPES.values())

    asked = await prompts(hq)
    for run_type in RUN_TYPES.values():
        run, question = runs[run_type.key], asked[run_type.label]
        assert run["status"] == "completed", (run_type.key, hq.explain())
        missing = [mark for mark in marks_of(run_type) if mark not in question]
        assert missing == [], run_type.key
        evidence = evidence_of(hq, run["id"])
        read = {row["evidence_type"] for row in evidence} - {"gap", "facts", "kept", "verification"}
        assert read == set(run_type.sources), run_type.key
        labels = dict.fromkeys(LABELS[source] for source in run_type.sources)
        assert run["detailed_appendix"]["data_sources"] == [*labels, "Lovable AI Gateway"], run_type.key


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("github", "est en panne"),
        ("perplexity", "est en panne"),
        ("firecrawl", "est en panne"),
        ("stripe", "Stripe ne répond pas pour le moment"),
    ],
)
async def test_with_a_vendor_down_every_report_is_written_and_names_it(hq: Hq, vendor: str, words: str) -> None:
    await hq.worker(keys(hq))
    await hq.vendors.script(vendor, {"status": 500}, repeat=True)
    touched = [t for t in RUN_TYPES.values() if any(source.startswith(vendor) for source in t.sources)]

    runs = await finish(hq, *touched)

    asked = await prompts(hq)
    for run_type in touched:
        run = runs[run_type.key]
        assert run["status"] == "completed", hq.explain()
        gaps = {row["data"]["source"] for row in evidence_of(hq, run["id"]) if row["evidence_type"] == "gap"}
        assert gaps == {source for source in run_type.sources if source.startswith(vendor)}
        assert words in asked[run_type.label].partition("Données manquantes :")[2]
        assert words in run["executive_summary"].partition("Données manquantes")[2]
        named = {LABELS[source] for source in run_type.sources if source.startswith(vendor)}
        assert not named & set(run["detailed_appendix"]["data_sources"])


@pytest.mark.parametrize(
    ("function", "source"),
    [
        ("read_hq_catalogue", SourceName.DATABASE_CATALOGUE),
        ("read_hq_run_history", SourceName.RUN_HISTORY),
        ("read_hq_open_matters", SourceName.OPEN_MATTERS),
    ],
)
async def test_with_a_part_of_the_database_closed_the_report_is_written_and_names_it(
    hq: Hq, function: str, source: SourceName
) -> None:
    await hq.worker(keys(hq))
    hq.database.run(f"revoke execute on function public.{function} from service_role")
    run_type = next(run_type for run_type in RUN_TYPES.values() if source in run_type.sources)

    run = (await finish(hq, run_type))[run_type.key]

    assert run["status"] == "completed"
    gaps = [row["data"]["source"] for row in evidence_of(hq, run["id"]) if row["evidence_type"] == "gap"]
    assert gaps == [source]


async def test_what_a_search_cost_is_part_of_the_runs_cost(hq: Hq) -> None:
    await hq.worker(keys(hq))

    run = (await finish(hq, RUN_TYPES["TECH_WATCH_REPORT"]))["TECH_WATCH_REPORT"]

    bills = hq.rows("select * from hq.run_costs where run_id = %s order by model", run["id"])
    models = [CANDIDATES[ModelTier.REASONING][0], "sonar-pro"]
    assert [(bill["model"], bill["calls"], bill["estimated"]) for bill in bills] == [
        (name, 1, False) for name in models
    ]
    assert float(bills[1]["cost_eur"]) > 0.006
    assert bills[1]["search_cost_eur"] == bills[1]["cost_eur"]
    assert run["detailed_appendix"]["cost_estimate"] == float(sum(bill["cost_eur"] for bill in bills))


async def test_everything_that_a_brief_reads_is_asked_at_the_same_time(hq: Hq) -> None:
    """All calls are under way before one of them is answered, and the model waits for them all."""
    wanted = {"github": 21, "perplexity": 1, "stripe": 3}
    for vendor, calls in wanted.items():
        await hq.vendors.script(vendor, *[{"delay_ms": 5000}] * calls)
    await hq.worker(keys(hq))

    hq.ask("DAILY_EXECUTIVE_BRIEF")

    asked = [call for vendor, calls in wanted.items() for call in await hq.vendors.wait_for(vendor, calls=calls)]
    assert [call["status"] for call in asked] == [None] * sum(wanted.values())
    assert await hq.model_calls() == 0


async def test_a_search_that_was_paid_is_not_paid_again_by_the_next_attempt(hq: Hq) -> None:
    await hq.worker(keys(hq))
    await hq.vendors.script("openai", {"status": 500}, {"status": 500}, {"status": 500}, {"status": 500})

    run = (await finish(hq, RUN_TYPES["GROWTH_STRATEGY_REVIEW"]))["GROWTH_STRATEGY_REVIEW"]

    assert run["status"] == "completed", hq.explain()
    assert run["detailed_appendix"]["attempt"] > 1
    assert len(await hq.vendors.calls("perplexity")) == 1
    bills = hq.rows("select * from hq.run_costs where run_id = %s order by lease_token", run["id"])
    assert [bill["search_cost_eur"] > 0 for bill in bills] == [True, False]
    assert bills[0]["cost_eur"] == bills[0]["search_cost_eur"]
    assert run["detailed_appendix"]["cost_estimate"] == float(sum(bill["cost_eur"] for bill in bills))
