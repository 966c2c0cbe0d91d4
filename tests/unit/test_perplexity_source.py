"""Searches of the web against the stand-in: what goes out, what is reported, what it cost, what is missing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.sources import collect_from

from devstack.vendors import VendorsClient
from shared.findings import Finding, Gap, GapReason
from shared.registry import RUN_TYPES, SourceName, find_run_type
from workers.ports import SOURCE_TEXT_CHARS, Meter, Platform, Subject
from workers.settings import PerplexitySettings
from workers.sources.perplexity import PerplexitySource, is_web_address

KEY = "pplx-canary0123456789"
SEARCHING = [run_type for run_type in RUN_TYPES.values() if SourceName.PERPLEXITY in run_type.sources]
PLATFORM = Platform(
    key="nearvity", name="NEARVITY-interne", status="red", status_reason="Panne secrète", description="Confidentiel"
)


def subject(key: str = "TECH_WATCH_REPORT") -> Subject:
    return Subject(run_type=find_run_type(key), platforms=(PLATFORM,), meter=Meter())


def make_source(http: httpx.AsyncClient, url: str, clock: FakeClock, key: str | None = KEY) -> PerplexitySource:
    settings = PerplexitySettings(base_url=url, key=None if key is None else SecretStr(key))
    return PerplexitySource(http, settings, eur_per_usd=0.9, clock=clock)


@pytest.fixture
def source(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> PerplexitySource:
    return make_source(http, f"{vendors.base_url}/perplexity", clock)


async def find(source: PerplexitySource, asked: Subject) -> Finding:
    collected = await source.collect(asked)
    assert collected.gaps == ()
    (finding,) = collected.findings
    return finding


async def miss(source: PerplexitySource, asked: Subject) -> Gap:
    collected = await collect_from(source, asked)
    assert collected.findings == ()
    (gap,) = collected.gaps
    return gap


async def test_the_answer_comes_with_its_numbered_sources(source: PerplexitySource) -> None:
    finding = await find(source, subject())

    citations = finding.data["citations"]
    assert isinstance(citations, list)
    assert len(citations) == 2
    assert finding.url == citations[0]
    assert "Repère" in finding.text
    assert f"[1] Étude {str(citations[0]).rsplit('/', 1)[-1]} du secteur — 2026-11-12 : {citations[0]}" in finding.text
    assert f"[2] Communiqué : {citations[1]}" in finding.text


async def test_each_run_type_asks_its_own_question(source: PerplexitySource, vendors: VendorsClient) -> None:
    for run_type in SEARCHING:
        await find(source, subject(run_type.key))

    calls = await vendors.calls("perplexity")
    asked = [call["body"]["messages"][-1]["content"] for call in calls]
    assert asked == [run_type.search.query for run_type in SEARCHING if run_type.search]
    assert len(set(asked)) == len(SEARCHING)
    assert {call["body"]["model"] for call in calls} == {"sonar-pro"}
    assert {call["body"]["search_recency_filter"] for call in calls} <= {"day", "week", "month", "year"}


async def test_nothing_of_the_company_goes_out(source: PerplexitySource, vendors: VendorsClient) -> None:
    for run_type in SEARCHING:
        await find(source, subject(run_type.key))

    sent = repr(await vendors.calls("perplexity"))
    assert not any(word in sent for word in ("NEARVITY-interne", "secrète", "Confidentiel", KEY))


async def test_what_the_answer_says_it_cost_is_noted(source: PerplexitySource, vendors: VendorsClient) -> None:
    asked = subject()
    usage = {"prompt_tokens": 50, "completion_tokens": 200, "cost": {"request_cost": 0.006, "total_cost": 0.02}}
    await vendors.script("perplexity", {"merge": {"usage": usage}})

    await find(source, asked)

    total = asked.meter.total
    assert (total.calls, total.tokens_in, total.tokens_out, total.estimated) == (1, 50, 200, False)
    assert total.cost_eur == total.search_cost_eur == Decimal("0.018")


@pytest.mark.parametrize(
    ("size", "cost_eur"), [("low", "0.0216"), ("medium", "0.0252"), ("high", "0.0288"), (None, "0.0288")]
)
async def test_a_cost_that_is_not_said_is_estimated_with_the_fee_of_the_request(
    source: PerplexitySource, vendors: VendorsClient, size: str | None, cost_eur: str
) -> None:
    asked = subject()
    usage = {"prompt_tokens": 1000, "completion_tokens": 1000} | ({"search_context_size": size} if size else {})
    await vendors.script("perplexity", {"merge": {"usage": usage}})

    await find(source, asked)

    assert asked.meter.total.estimated
    assert asked.meter.total.cost_eur == Decimal(cost_eur)


@pytest.mark.parametrize("body", [{"choices": []}, {"choices": [{"message": {"content": " "}}]}])
async def test_an_answer_that_cannot_be_used_is_paid_for_all_the_same(
    source: PerplexitySource, vendors: VendorsClient, body: dict[str, Any]
) -> None:
    asked = subject()
    await vendors.script("perplexity", {"body": body | {"usage": {"cost": {"total_cost": 0.01}}}})

    gap = await miss(source, asked)

    assert (gap.reason, asked.meter.total.cost_eur) == (GapReason.UNAVAILABLE, Decimal("0.009"))


@pytest.mark.parametrize(
    "odd",
    [
        {"search_results": [{"url": "https://a.fr", "title": None, "date": 2026}, {"title": "sans adresse"}, None]},
        {"search_results": "none", "citations": [None, "https://a.fr", 7]},
        {"search_results": [{"title": "sans page", "url": "about:blank"}], "citations": ["https://a.fr"]},
        {"search_results": None, "citations": ["https://a.fr"], "usage": "free", "id": []},
    ],
)
async def test_an_odd_field_that_is_not_needed_costs_nothing(
    source: PerplexitySource, vendors: VendorsClient, odd: dict[str, Any]
) -> None:
    await vendors.script("perplexity", {"merge": odd})

    finding = await find(source, subject())

    assert finding.data["citations"] == ["https://a.fr"]
    assert finding.text.endswith("[1] https://a.fr")


@pytest.mark.parametrize("end", ["length", "max_tokens", "content_filter", "brand_new"])
async def test_an_answer_that_was_cut_says_so(source: PerplexitySource, vendors: VendorsClient, end: str) -> None:
    await vendors.script("perplexity", {"finish_reason": end})

    cut, whole = await find(source, subject()), await find(source, subject())

    assert (cut.data["is_whole"], whole.data["is_whole"]) == (False, True)
    assert "s'arrête avant sa fin" in cut.text
    assert "s'arrête avant sa fin" not in whole.text
    assert "Sources citées" in cut.text


@pytest.mark.parametrize("end", [{}, {"finish_reason": None}, {"finish_reason": ""}])
async def test_an_answer_that_does_not_say_how_it_ended_may_have_been_cut(
    source: PerplexitySource, vendors: VendorsClient, end: dict[str, str | None]
) -> None:
    await vendors.script("perplexity", {"merge": {"choices": [{"message": {"content": "Le marché pro"}} | end]}})

    finding = await find(source, subject())

    assert finding.data["is_whole"] is False
    assert "s'arrête avant sa fin" in finding.text


@pytest.mark.parametrize(
    "content",
    [
        "<think>Je cherche.</think>Le marché progresse.",
        " \n<Thinking>a</thinking>\n<think>b</think> Le marché progresse.",
        [{"type": "reasoning", "text": "Je cherche."}, {"type": "text", "text": "Le marché progresse."}, 7],
        [{"type": "reasoning", "text": "Je cherche."}, {"type": "output_text", "text": "Le marché progresse."}],
        [{"text": "Le marché "}, {"type": None, "text": "progresse."}],
    ],
)
async def test_thoughts_are_no_part_of_the_answer(
    source: PerplexitySource, vendors: VendorsClient, content: Any
) -> None:
    await vendors.script(
        "perplexity", {"merge": {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}}
    )

    finding = await find(source, subject())

    assert finding.text.startswith("Le marché progresse.\nSources citées :")


async def test_thoughts_without_an_end_are_no_answer(source: PerplexitySource, vendors: VendorsClient) -> None:
    await vendors.script("perplexity", {"content": "<think>Je cherche encore", "finish_reason": "length"})

    assert (await miss(source, subject())).reason is GapReason.UNAVAILABLE


async def test_only_addresses_of_pages_are_citations(source: PerplexitySource, vendors: VendorsClient) -> None:
    good = "https://exemple.fr/a?b=1"
    bad = [
        "javascript:alert(1)",
        "https://x",
        "http://a.fr/ b",
        "https://a.fr/<donnees>",
        "https://me:pw@a.fr",
        "h" * 999,
    ]
    await vendors.script(
        "perplexity", {"merge": {"search_results": None, "citations": [*bad, good, good, "https://b.fr"]}}
    )

    finding = await find(source, subject())

    assert finding.data["citations"] == [good, "https://b.fr"]
    assert is_web_address(good)
    assert not any(map(is_web_address, bad))


async def test_a_very_long_answer_is_bounded_and_keeps_its_sources(
    source: PerplexitySource, vendors: VendorsClient
) -> None:
    results = [{"url": f"https://a{n}.fr/{'x' * 200}", "title": "T" * 500} for n in range(50)]
    await vendors.script("perplexity", {"content": "mot\u200b " * 20_000, "merge": {"search_results": results}})

    finding = await find(source, subject())

    assert len(finding.text) <= SOURCE_TEXT_CHARS
    assert "\u200b" not in finding.text
    assert "[1] T" in finding.text


async def test_a_run_type_without_a_search_asks_nothing(source: PerplexitySource, vendors: VendorsClient) -> None:
    collected = await source.collect(subject("CODE_REVIEW"))

    assert (collected.findings, collected.gaps) == ((), ())
    assert await vendors.calls("perplexity") == []


async def test_without_a_key_nothing_is_asked(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    gap = await miss(make_source(http, f"{vendors.base_url}/perplexity", clock, key=None), subject())

    assert gap.reason is GapReason.NOT_CONFIGURED
    assert "PERPLEXITY_API_KEY" in gap.sentence
    assert await vendors.calls("perplexity") == []


class TestAfterALimit:
    """The vendor said when to come back: nobody knocks before."""

    @pytest.mark.parametrize("wait", ["600", "Sun, 22 Nov 2026 10:10:00 GMT"])
    async def test_the_end_is_told_and_kept(
        self, source: PerplexitySource, vendors: VendorsClient, clock: FakeClock, wait: str
    ) -> None:
        await vendors.script("perplexity", {"status": 429, "headers": {"retry-after": wait}})

        first, second = await miss(source, subject()), await miss(source, subject())

        assert first.sentence == second.sentence
        assert "11 h 10 (heure de Paris)" in first.sentence
        assert len(await vendors.calls("perplexity")) == 1
        clock.advance(timedelta(minutes=10))
        await find(source, subject())
