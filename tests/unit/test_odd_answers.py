"""An odd part of a vendor's answer costs that part alone: each is replaced in turn, and odd items join each list.

The answers are the stand-ins' own. What an answer is nothing without is listed, per vendor.
"""

import copy
import json
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.wire import wire

from devstack.vendors import firecrawl, github, openai, perplexity
from devstack.vendors.stage import Request, Step
from shared.errors import GatewayError, SourceError
from shared.registry import ModelTier, find_run_type
from workers.gateway.chat import ChatGateway
from workers.ports import Message, Meter, Platform, Source, Subject
from workers.settings import FirecrawlSettings, GatewaySettings, GithubSettings, PerplexitySettings
from workers.sources.firecrawl import FirecrawlSource
from workers.sources.github import GithubSource
from workers.sources.github_actions import GithubActionsSource
from workers.sources.github_alerts import GithubAlertsSource
from workers.sources.github_api import GithubApi
from workers.sources.perplexity import PerplexitySource

ODD: tuple[Any, ...] = (None, 7, -1.5, "étrange", [], [None], {}, {"étrange": None}, True, "9" * 400)
URL = "https://vendor.example"
KEY = SecretStr("a-key")
REPOSITORY = "laeticiamng/emotionscare"
Path = tuple[str | int, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the place of each part; of a list, those in its first item."""
    yield at
    members = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value[:1] if isinstance(value, list) else ()))
    )
    for key, each in members:
        yield from paths(each, (*at, key))


def change(body: Any, path: Path, how: Callable[[Any], Any]) -> Any:
    """Return a copy in which one part is another."""
    if not path:
        return how(body)
    changed = copy.copy(body)
    changed[path[0]] = change(body[path[0]], path[1:], how)
    return changed


def put(odd: Any) -> Callable[[Any], Any]:
    return lambda _: odd


def surround(odd: Any) -> Callable[[Any], Any]:
    return lambda items: [odd, *items, odd]


def replace(served: str, body: Any) -> Callable[[str, Any], Any]:
    return lambda path, usual: body if path.endswith(served) else usual


def variants(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield every odd form of a body, each with the place that is odd; « + » is an odd item that joined a list."""
    for path in paths(body):
        place = ".".join(map(str, path))
        for odd in ODD:
            yield place, change(body, path, put(odd))
            found: Any = body
            for key in path:
                found = found[key]
            if isinstance(found, list):
                yield f"{place}+", change(body, path, surround(odd))


def serve(vendor: ModuleType, odd: Callable[[str, Any], Any]) -> httpx.AsyncClient:
    """Return a client that is answered by the stand-in, each body changed by ``odd``, which knows the path."""

    def answer(asked: httpx.Request) -> httpx.Response:
        body = None if not asked.content else json.loads(asked.content)
        request = Request(
            asked.method, asked.url.path, dict(asked.url.params), dict(asked.headers), authorized=True, body=body
        )
        usual = vendor.answer(request, Step())
        return httpx.Response(usual.status, json=odd(asked.url.path, usual.body), headers=usual.headers)

    return httpx.AsyncClient(transport=wire(answer))


def subject(run_type: str) -> Subject:
    platform = Platform(key="p", name="P", github_url=REPOSITORY, status="green")
    return Subject(run_type=find_run_type(run_type), platforms=(platform,), meter=Meter())


async def voided_by(vendor: ModuleType, served: str, ask: Callable[[httpx.AsyncClient], Awaitable[bool]]) -> set[str]:
    """Return the places of an answer whose oddity costs all of it. Units: ``served`` ends the path of the answer."""
    bodies: list[Any] = []

    def keep(path: str, body: Any) -> Any:
        if path.endswith(served):
            bodies.append(body)
        return body

    async with serve(vendor, keep) as http:
        assert await ask(http)  # as it comes, it is whole
    voided = set()
    for place, body in variants(bodies[0]):
        async with serve(vendor, replace(served, body)) as http:
            if not await ask(http):
                voided.add(place)
    return voided


def perplexity_of(http: httpx.AsyncClient, clock: FakeClock) -> Source:
    return PerplexitySource(http, PerplexitySettings(base_url=URL, key=KEY), eur_per_usd=0.9, clock=clock)


def firecrawl_of(http: httpx.AsyncClient, clock: FakeClock) -> Source:
    pages = FirecrawlSettings.model_validate(
        {"base_url": f"{URL}/v2", "FIRECRAWL_API_KEY": KEY, "COMPETITOR_PAGES": "https://rival.example"}
    )
    return FirecrawlSource(http, pages, clock=clock)


def github_api(http: httpx.AsyncClient, clock: FakeClock) -> GithubApi:
    return GithubApi(http, GithubSettings(base_url=URL, token=KEY), clock=clock)


@pytest.mark.parametrize(
    ("vendor", "served", "make", "run_type", "words", "needed"),
    [
        pytest.param(
            perplexity,
            "/chat/completions",
            perplexity_of,
            "TECH_WATCH_REPORT",
            "le marché suivi progresse",
            {"", "choices", "choices.0", "choices.0.message", "choices.0.message.content"},
            id="Perplexity",
        ),
        pytest.param(
            firecrawl,
            "/scrape",
            firecrawl_of,
            "COMPETITIVE_ANALYSIS",
            "Notre offre commence à",
            {"", "data", "data.markdown"},
            id="Firecrawl",
        ),
    ],
)
async def test_a_paid_reading_is_lost_for_what_it_is_nothing_without(
    vendor: ModuleType,
    served: str,
    make: Callable[[httpx.AsyncClient, FakeClock], Source],
    run_type: str,
    words: str,
    needed: set[str],
    clock: FakeClock,
) -> None:
    async def ask(http: httpx.AsyncClient) -> bool:
        try:
            collected = await make(http, clock).collect(subject(run_type))
        except SourceError:
            return False
        return any(words in finding.text for finding in collected.findings)

    assert await voided_by(vendor, served, ask) == needed


async def test_a_paid_answer_of_the_model_is_lost_for_what_it_is_nothing_without(clock: FakeClock) -> None:
    settings = GatewaySettings.model_validate(
        {"base_url": f"{URL}/v1", "api_key": KEY, "max_calls": 1, "breaker_failures": 100_000}
    )

    async def ask(http: httpx.AsyncClient) -> bool:
        meter = Meter()
        gateway = ChatGateway(http, settings, clock=clock)
        try:
            answer = await gateway.ask(ModelTier.REASONING, [Message(role="user", content="Bonjour")], meter=meter)
        except GatewayError:
            return False
        finally:
            assert meter.total.calls == 1
            assert meter.total.cost_eur >= 0
        return len(answer.text) > len("étrange")

    assert await voided_by(openai, "/chat/completions", ask) == {
        "",
        "choices",
        "choices.0",
        "choices.0.message",
        "choices.0.message.content",
        "choices.0.finish_reason",
    }


@pytest.mark.parametrize(
    ("kind", "served", "needed"),
    [
        pytest.param(GithubSource, "/issues", {""}, id="issues"),
        pytest.param(GithubSource, "/commits", {""}, id="commits"),
        pytest.param(GithubSource, "/releases", {"", "0"}, id="its only release"),
        pytest.param(GithubActionsSource, "/actions/runs", {"", "workflow_runs"}, id="runs"),
        pytest.param(GithubActionsSource, "/jobs", set(), id="jobs"),
        pytest.param(GithubAlertsSource, "/dependabot/alerts", {""}, id="alerts"),
    ],
)
async def test_a_repository_is_lost_for_what_it_is_nothing_without(
    kind: type[Any], served: str, needed: set[str], clock: FakeClock
) -> None:
    async def ask(http: httpx.AsyncClient) -> bool:
        collected = await kind(github_api(http, clock), clock=clock).collect(subject("DEPLOY_TO_PRODUCTION"))
        return any(REPOSITORY in finding.text for finding in collected.findings)

    assert await voided_by(github, served, ask) == needed
