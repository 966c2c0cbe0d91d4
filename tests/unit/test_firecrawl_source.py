"""Web pages against the stand-in: which are read, what is reported of them, what is missing."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.sources import collect_from

from devstack.vendors import VendorsClient
from shared.findings import GapReason
from shared.registry import find_run_type
from workers.ports import SOURCE_TEXT_CHARS, Platform, Subject
from workers.settings import FirecrawlSettings
from workers.sources.firecrawl import FirecrawlSource

PAGES = ("https://concurrent-a.example/tarifs", "https://concurrent-b.example/")


def subject(key: str = "COMPETITIVE_ANALYSIS", *platforms: str) -> Subject:
    named = tuple(Platform(key=name, name=f"{name}-interne", status="green") for name in platforms or ("nearvity",))
    return Subject(run_type=find_run_type(key), platforms=named)


def make_source(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock, **settings: object
) -> FirecrawlSource:
    given = {"base_url": f"{vendors.base_url}/firecrawl/v2", "key": SecretStr("fc-canary"), "competitors": PAGES}
    return FirecrawlSource(http, FirecrawlSettings.model_validate(given | settings), clock=clock)


@pytest.fixture
def source(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> FirecrawlSource:
    return make_source(vendors, http, clock)


async def test_each_page_is_a_finding_with_its_address(source: FirecrawlSource) -> None:
    collected = await source.collect(subject())

    assert collected.gaps == ()
    assert [finding.url for finding in collected.findings] == list(PAGES)
    first = collected.findings[0]
    assert first.label == "Firecrawl · concurrent-a.example"
    assert "Titre : Accueil de concurrent-a.example" in first.text
    assert "EUR par mois" in first.text
    assert first.data["credits"] == 1


async def test_the_pages_are_read_at_the_same_time(source: FirecrawlSource, vendors: VendorsClient) -> None:
    await vendors.script("firecrawl", {"delay_ms": 5000}, {"delay_ms": 5000})
    collecting = asyncio.create_task(source.collect(subject()))

    await vendors.wait_for("firecrawl", calls=2)

    assert not collecting.done()
    collecting.cancel()


async def test_an_audit_of_our_sites_reads_those_of_its_platforms(
    source: FirecrawlSource, vendors: VendorsClient
) -> None:
    await source.collect(subject("SEO_AUDIT", "med-mng", "unknown", "nearvity"))

    asked = sorted(call["body"]["url"] for call in await vendors.calls("firecrawl"))
    assert asked == ["https://medmng.com/", "https://pixel-perfect-clone-6574.lovable.app/"]


async def test_nothing_but_the_configured_address_goes_out(source: FirecrawlSource, vendors: VendorsClient) -> None:
    await source.collect(subject())

    for call in await vendors.calls("firecrawl"):
        assert set(call["body"]) == {"url", "formats", "onlyMainContent", "timeout", "maxAge"}
        assert call["body"]["url"] in PAGES


async def test_a_copy_of_two_days_is_not_accepted(
    source: FirecrawlSource, vendors: VendorsClient, clock: FakeClock
) -> None:
    """Firecrawl's own default would be one of 47 hours."""
    (finding, _) = (await source.collect(subject())).findings

    assert finding.read_at == clock.now()
    assert "Copie" not in finding.text
    assert (await vendors.calls("firecrawl"))[0]["body"]["maxAge"] == 3_600_000


@pytest.mark.parametrize(
    ("said", "hours_ago"),
    [
        ({"cacheState": "hit", "cachedAt": "2026-11-20T11:00:00Z"}, 47),
        ({"cachedAt": "2026-11-22T09:30:00Z"}, 0.5),
        ({"cacheState": "hit"}, 1),
        ({"cacheState": "hit", "cachedAt": "yesterday"}, 1),
        ({"cacheState": "hit", "cachedAt": "2027-01-01T00:00:00Z"}, 0),
    ],
)
async def test_a_copy_is_as_old_as_it_says(
    source: FirecrawlSource, vendors: VendorsClient, clock: FakeClock, said: dict[str, Any], hours_ago: float
) -> None:
    page = {"success": True, "data": {"markdown": "Tarifs", "metadata": {"statusCode": 200, **said}}}
    await vendors.script("firecrawl", {"body": page}, {"body": page})

    (finding, _) = (await source.collect(subject())).findings

    assert clock.now() - finding.read_at == timedelta(hours=hours_ago)
    assert ("Copie gardée par Firecrawl depuis le" in finding.text) is (hours_ago > 0)


async def test_an_odd_field_that_is_not_needed_costs_nothing(source: FirecrawlSource, vendors: VendorsClient) -> None:
    metadata = {"title": 7, "description": {}, "statusCode": "abc", "creditsUsed": None, "cacheState": []}
    pages = [{"data": {"markdown": "Tarifs", "metadata": data}} for data in (metadata, None)]
    await vendors.script("firecrawl", *({"body": page} for page in pages))

    collected = await source.collect(subject())

    assert collected.gaps == ()
    assert all("Tarifs" in finding.text for finding in collected.findings)


async def test_version_one_is_spoken_to_alike(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    older = make_source(vendors, http, clock, base_url=f"{vendors.base_url}/firecrawl/v1")

    assert len((await older.collect(subject())).findings) == 2


async def test_a_page_that_fails_costs_only_its_own_data(source: FirecrawlSource, vendors: VendorsClient) -> None:
    gone = {"success": True, "data": {"markdown": "Not found", "metadata": {"statusCode": 404, "title": ["a", "b"]}}}
    await vendors.script("firecrawl", {"body": gone})

    collected = await source.collect(subject())

    assert len(collected.findings) == 1
    (gap,) = collected.gaps
    assert gap.reason is GapReason.REJECTED
    assert "code 404" in gap.sentence


async def test_a_long_page_is_bounded(source: FirecrawlSource, vendors: VendorsClient) -> None:
    await vendors.script("firecrawl", {"content": "ligne\u202e\n" * 60_000}, repeat=True)

    findings = (await source.collect(subject())).findings

    assert all(len(finding.text) <= SOURCE_TEXT_CHARS for finding in findings)
    assert all("\u202e" not in finding.text for finding in findings)


async def test_pages_that_nobody_named_are_a_gap_that_says_where_to_name_them(
    source: FirecrawlSource, vendors: VendorsClient
) -> None:
    (gap,) = (await collect_from(source, subject("TECH_WATCH_REPORT"))).gaps

    assert gap.reason is GapReason.NOT_CONFIGURED
    assert "TECH_WATCH_PAGES" in gap.sentence
    assert await vendors.calls("firecrawl") == []


async def test_without_a_key_nothing_is_asked(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    (gap,) = (await collect_from(make_source(vendors, http, clock, key=None), subject())).gaps

    assert gap.reason is GapReason.NOT_CONFIGURED
    assert "FIRECRAWL_API_KEY" in gap.sentence


async def test_a_run_type_without_pages_asks_nothing(source: FirecrawlSource, vendors: VendorsClient) -> None:
    assert (await source.collect(subject("CODE_REVIEW"))).findings == ()
    assert await vendors.calls("firecrawl") == []
