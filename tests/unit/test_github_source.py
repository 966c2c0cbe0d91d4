"""The GitHub source against the stand-in: what it reports, what it names as missing, what it asks for."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.sources import collect_from
from support.wire import wire

from devstack.vendors import VendorsClient
from devstack.vendors.github import REPOSITORIES
from shared.facts import FactName
from shared.findings import Collected, Finding, Gap, GapReason
from shared.registry import find_run_type
from workers import outbound
from workers.ports import Platform, Source, Subject
from workers.settings import GithubSettings
from workers.sources.github import GithubSource
from workers.sources.github_api import GithubApi, Paging, _read_paging

TOKEN = "ghp_canary0123456789"
BUSY, QUIET, UNRELEASED = "laeticiamng/emotionscare", "laeticiamng/nearvity", "laeticiamng/track-triumph-tavern"


def platform(repository: str | None, name: str = "Plateforme") -> Platform:
    url = None if repository is None else f"https://github.com/{repository}"
    return Platform(key=name.lower(), name=name, github_url=url, status="green")


def subject(*platforms: Platform) -> Subject:
    return Subject(run_type=find_run_type("PLATFORM_STATUS_REVIEW"), platforms=platforms)


def make_source(http: httpx.AsyncClient, settings: GithubSettings, clock: FakeClock) -> GithubSource:
    return GithubSource(GithubApi(http, settings, clock=clock), clock=clock)


@pytest.fixture
def source(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> Source:
    settings = GithubSettings(base_url=f"{vendors.base_url}/github", token=SecretStr(TOKEN))
    return make_source(http, settings, clock)


async def collect_one(source: Source, repository: str | None) -> Collected:
    return await collect_from(source, subject(platform(repository)))


async def find(source: Source, repository: str) -> Finding:
    collected = await collect_one(source, repository)
    assert collected.gaps == ()
    (finding,) = collected.findings
    return finding


async def miss(source: Source, repository: str | None = QUIET) -> Gap:
    collected = await collect_one(source, repository)
    assert collected.findings == ()
    (gap,) = collected.gaps
    return gap


async def paths(vendors: VendorsClient) -> list[str]:
    return sorted(call["path"] for call in await vendors.calls("github"))


async def test_a_repository_is_read_with_three_requests(source: Source, vendors: VendorsClient) -> None:
    finding = await find(source, QUIET)

    assert (finding.label, finding.source) == ("GitHub · Plateforme", "github")
    assert finding.url == f"https://github.com/{QUIET}"
    assert finding.data["open_issues"] == 4
    assert finding.data["open_pull_requests"] == 3
    assert finding.data["latest_release"] == "v2.8.0"
    assert isinstance(finding.data["last_commit_at"], str)
    assert datetime.fromisoformat(finding.data["last_commit_at"]).tzinfo is not None
    assert f"{QUIET} : 4 tickets ouverts, 3 pull requests ouvertes" in finding.text
    assert "Dernière version : v2.8.0, publiée le " in finding.text
    parts = ("/commits", "/issues", "/releases")
    assert await paths(vendors) == [f"/repos/{QUIET}{part}" for part in parts]


def values_of(finding: Finding) -> dict[FactName, Decimal]:
    assert {(fact.subject, fact.source, fact.at) for fact in finding.facts} == {
        (finding.platform_key, "github", finding.read_at)
    }
    assert len({fact.name for fact in finding.facts}) == len(finding.facts)
    return {fact.name: fact.value for fact in finding.facts}


def commit(days: float, clock: FakeClock) -> dict[str, Any]:
    return {"commit": {"message": "m", "committer": {"date": (clock.now() - timedelta(days=days)).isoformat()}}}


async def test_the_facts_of_a_repository_are_those_of_its_platform(
    source: Source, vendors: VendorsClient, clock: FakeClock
) -> None:
    def work(days: float, **fields: object) -> dict[str, Any]:
        return {"number": 1, "created_at": (clock.now() - timedelta(days=days)).isoformat(), **fields}

    await vendors.script(
        "github",
        {"match": "/issues", "body": [work(2), work(40.5), work(3, pull_request={}), work(1, pull_request={})]},
        {"match": "/commits", "body": [commit(days, clock) for days in (1.5, 2, 6.9, 7.1, 30)]},
        {
            "match": "/releases",
            "body": [{"tag_name": "v1", "published_at": (clock.now() - timedelta(days=9)).isoformat()}],
        },
    )

    finding = await find(source, QUIET)

    assert finding.platform_key == "plateforme"
    assert values_of(finding) == {
        FactName.OPEN_ISSUES: 2,
        FactName.OPEN_PULLS: 2,
        FactName.COMMITS_WEEK: 3,
        FactName.LAST_COMMIT_AGE: 1,
        FactName.LAST_RELEASE_AGE: 9,
        FactName.OLDEST_ISSUE_AGE: 40,
        FactName.OLDEST_PULL_AGE: 3,
    }
    assert "Commits des 7 derniers jours : 3" in finding.text


@pytest.mark.parametrize(("oldest", "counted"), [(6.5, None), (7.5, 29)])
async def test_a_full_page_of_commits_counts_the_week_only_if_it_reaches_further_back(
    source: Source, vendors: VendorsClient, clock: FakeClock, oldest: float, counted: int | None
) -> None:
    body = [commit(1, clock)] * 29 + [commit(oldest, clock)]
    await vendors.script("github", {"match": "/commits", "body": body})

    assert values_of(await find(source, QUIET)).get(FactName.COMMITS_WEEK) == counted


async def test_nothing_is_counted_from_what_was_not_read(
    source: Source, vendors: VendorsClient, clock: FakeClock
) -> None:
    undated = {"commit": {"message": "m", "committer": None}}
    await vendors.script("github", FULL, {"match": "/commits", "body": [undated, commit(2, clock)]})

    values = values_of(await find(source, BUSY))

    assert (int(values[FactName.OPEN_ISSUES]), int(values[FactName.OPEN_PULLS])) == (30, 5)
    assert not values.keys() & {
        FactName.COMMITS_WEEK,
        FactName.LAST_COMMIT_AGE,
        FactName.OLDEST_ISSUE_AGE,
        FactName.OLDEST_PULL_AGE,
    }


FULL = {
    "match": "/issues",
    "body": [{"number": n, "title": "t", "created_at": "2026-11-01T00:00:00Z"} for n in range(50)],
}


async def test_more_work_than_a_page_holds_is_counted_by_the_repository(source: Source, vendors: VendorsClient) -> None:
    await vendors.script("github", FULL)

    finding = await find(source, BUSY)

    assert (finding.data["open_issues"], finding.data["open_pull_requests"]) == (30, 5)
    assert len(await paths(vendors)) == 5
    assert len(finding.text) <= 4_000


async def test_the_search_counts_pull_requests_should_github_name_no_last_page(
    source: Source, vendors: VendorsClient
) -> None:
    link = f'<https://api.github.com/repos/{BUSY}/pulls?page=2>; rel="next"'
    await vendors.script("github", FULL, {"match": "/pulls", "headers": {"link": link}})

    finding = await find(source, BUSY)

    assert (finding.data["open_issues"], finding.data["open_pull_requests"]) == (30, 5)
    assert (await paths(vendors)).count("/search/issues") == 1


async def test_what_has_not_changed_is_not_sent_again(source: Source, vendors: VendorsClient) -> None:
    first = await find(source, BUSY)
    again = await find(source, BUSY)

    assert [call["status"] for call in await vendors.calls("github")] == [200] * 3 + [304] * 3
    assert again == first


async def test_all_repositories_are_asked_at_the_same_time(source: Source, vendors: VendorsClient) -> None:
    """Every call is under way before any is answered."""
    everything = 3 * len(REPOSITORIES)
    await vendors.script("github", *[{"delay_ms": 5000}] * everything)
    collecting = asyncio.create_task(source.collect(subject(*map(platform, REPOSITORIES))))

    await vendors.wait_for("github", calls=everything)

    assert not collecting.done()
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting


async def test_a_page_of_fifty_megabytes_costs_its_data_and_not_the_memory(clock: FakeClock) -> None:
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(800):
                sent += 1 << 16
                yield b"[" * (1 << 16)

    huge = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless())))
    settings = GithubSettings(base_url="https://api.github.com", token=SecretStr(TOKEN))

    gap = await miss(make_source(huge, settings, clock))

    assert gap.reason is GapReason.UNAVAILABLE
    assert sent < 3 * (3 << 20)


async def test_without_a_stable_release_the_newest_prerelease_is_named_as_one(
    source: Source, vendors: VendorsClient
) -> None:
    releases = [
        {"tag_name": "v2.0.0-brouillon", "draft": True, "prerelease": True, "published_at": None},
        {"tag_name": "v1.9.0-rc1", "draft": False, "prerelease": True, "published_at": "2026-10-01T08:00:00Z"},
        {"tag_name": "v2.0.0-rc1", "draft": False, "prerelease": True, "published_at": "2026-11-01T08:00:00Z"},
    ]
    await vendors.script(
        "github", {"match": "/releases/latest", "status": 404}, {"match": "/releases", "body": releases}
    )

    finding = await find(source, QUIET)

    assert (
        "Dernière version : v2.0.0-rc1 (préversion ; aucune version stable n'est publiée), "
        "publiée le 1er novembre 2026" in finding.text
    )
    assert finding.data["latest_release"] == "v2.0.0-rc1"
    assert finding.data["latest_release_is_prerelease"] is True


async def test_a_stable_release_behind_a_page_of_prereleases_is_found(source: Source, vendors: VendorsClient) -> None:
    ahead = {"tag_name": "v2.0.0-rc1", "prerelease": True, "published_at": "2026-11-01T08:00:00Z"}
    stable = {"tag_name": "v1.8.0", "published_at": "2026-03-01T08:00:00Z"}
    await vendors.script(
        "github", {"match": "/releases/latest", "body": stable}, {"match": "/releases", "body": [ahead] * 10}
    )

    finding = await find(source, QUIET)

    assert "Dernière version : v1.8.0, publiée le 1er mars 2026" in finding.text
    assert finding.data["latest_release_is_prerelease"] is False


async def test_an_odd_field_that_is_not_needed_costs_nothing(source: Source, vendors: VendorsClient) -> None:
    await vendors.script(
        "github",
        {"match": "/issues", "body": [{"number": 7, "title": None, "created_at": "soon", "pull_request": {}}]},
        {"match": "/commits", "body": [{"commit": {"message": None, "committer": {"date": 5.5e20}}}]},
        {"match": "/releases", "body": [{"tag_name": "v1", "published_at": "bientôt"}]},
    )

    finding = await find(source, QUIET)

    assert "#7 sans titre" in finding.text
    assert "sans message" in finding.text
    assert finding.data["open_pull_requests"] == 1


async def test_no_release_and_no_commit_are_facts_not_failures(source: Source, vendors: VendorsClient) -> None:
    await vendors.script("github", {"match": "/commits", "status": 409}, {"match": "/issues", "status": 410})

    finding = await find(source, UNRELEASED)

    assert finding.data["latest_release"] is None
    assert finding.data["last_commit_at"] is None
    assert finding.data["open_issues"] == 0
    assert "Dernière version : aucune publiée" in finding.text
    assert "Derniers commits : aucun élément" in finding.text


async def test_all_platforms_are_told_in_their_order(source: Source) -> None:
    collected = await source.collect(subject(*(platform(repository, repository) for repository in REPOSITORIES)))

    assert collected.gaps == ()
    assert [finding.data["repository"] for finding in collected.findings] == list(REPOSITORIES)


async def test_one_platform_that_fails_costs_only_its_own_data(source: Source, vendors: VendorsClient) -> None:
    await vendors.script("github", {"match": f"{QUIET}/issues", "status": 404})

    collected = await source.collect(subject(platform(BUSY, "Une"), platform(QUIET, "Deux")))

    assert [finding.label for finding in collected.findings] == ["GitHub · Une"]
    (gap,) = collected.gaps
    assert (gap.label, gap.reason) == ("GitHub · Deux", GapReason.REJECTED)
    assert "Dépôt introuvable ou accès refusé" in gap.sentence


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (401, GapReason.REJECTED, "refuse le jeton"),
        (403, GapReason.REJECTED, "accès refusé"),
        (404, GapReason.REJECTED, "introuvable"),
        (422, GapReason.REJECTED, "code 422"),
        (500, GapReason.UNAVAILABLE, "en panne"),
        (503, GapReason.UNAVAILABLE, "en panne"),
    ],
)
async def test_a_refusal_is_named(
    source: Source, vendors: VendorsClient, status: int, reason: GapReason, words: str
) -> None:
    await vendors.script("github", {"match": "/issues", "status": status}, repeat=True)

    gap = await miss(source)

    assert gap.reason is reason
    assert words in gap.sentence


@pytest.mark.parametrize("step", [{"malformed": True}, {"body": {"not": "a list"}}, {"body": [{"title": 7}]}])
async def test_an_unreadable_answer_is_a_gap(source: Source, vendors: VendorsClient, step: dict[str, Any]) -> None:
    await vendors.script("github", step | {"match": "/issues"}, repeat=True)

    assert (await miss(source)).reason is GapReason.UNAVAILABLE


async def test_a_broken_connection_is_tried_again(source: Source, vendors: VendorsClient) -> None:
    faults: list[dict[str, object]] = [{"close": True}, {"cut": True}, {"status": 502}]
    await vendors.script("github", *faults)

    await find(source, QUIET)

    tried = [call["path"] for call in await vendors.calls("github")]
    assert len(tried) - len(set(tried)) == len(faults), tried


class TestLimits:
    """A limit is named with its end, and nobody knocks again before it."""

    @pytest.mark.parametrize(
        ("step", "words"),
        [
            ({"status": 403, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795342500"}}, "11 h 15"),
            ({"status": 429, "headers": {"retry-after": "600"}}, "11 h 10"),
            ({"status": 403, "body": {"message": "You have exceeded a secondary rate limit."}}, "11 h 01"),
            ({"status": 429, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}}, "11 h 01"),
        ],
    )
    async def test_it_says_when_the_data_come_back(
        self, source: Source, vendors: VendorsClient, step: dict[str, Any], words: str
    ) -> None:
        await vendors.script("github", step, repeat=True)

        gap = await miss(source)

        assert gap.reason is GapReason.UNAVAILABLE
        assert f"{words} (heure de Paris)" in gap.sentence

    async def test_nothing_is_asked_until_it_ends(
        self, source: Source, vendors: VendorsClient, clock: FakeClock
    ) -> None:
        await vendors.script("github", *[{"status": 403, "headers": {"retry-after": "600"}}] * 3)
        await miss(source)
        await vendors.reset()

        everything = await source.collect(subject(*map(platform, REPOSITORIES)))
        assert len(everything.gaps) == len(REPOSITORIES)
        assert await vendors.calls("github") == []

        clock.advance(timedelta(minutes=10))
        await find(source, QUIET)

    async def test_a_limit_is_never_tried_again(self, source: Source, vendors: VendorsClient, clock: FakeClock) -> None:
        await vendors.script("github", {"status": 429, "headers": {"retry-after": "1"}}, repeat=True)

        await miss(source)

        assert len(await vendors.calls("github")) <= 3
        assert clock.sleeps == []

    async def test_the_last_free_call_holds_back_the_next(
        self, source: Source, vendors: VendorsClient, clock: FakeClock
    ) -> None:
        """The answer is good and is returned; the next call would be refused and counted against us."""
        reset = str(round((clock.now() + timedelta(minutes=5)).timestamp()))
        spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        await vendors.script("github", *[{"headers": spent}] * 3)

        await find(source, QUIET)
        gap = await miss(source)

        assert "11 h 05" in gap.sentence
        assert len(await vendors.calls("github")) == 3

    async def test_the_searchs_own_limit_holds_back_searches_only(self, source: Source, vendors: VendorsClient) -> None:
        link = f'<https://api.github.com/repos/{BUSY}/pulls?page=2>; rel="next"'
        spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795342500"}
        await vendors.script(
            "github",
            FULL,
            {"match": "/pulls", "headers": {"link": link}},
            {"match": "/search", "status": 403, "headers": spent},
        )
        await miss(source, BUSY)

        await find(source, QUIET)


def test_a_link_header_of_nothing_but_brackets_is_read_in_a_time_proportional_to_its_length() -> None:
    headers = httpx.Headers({"link": "<" * 600_000})  # the square of which would take minutes

    assert _read_paging(outbound.Response(200, headers, b"", cut=False)) == Paging()


async def test_without_a_token_nothing_is_asked(
    vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    settings = GithubSettings(base_url=f"{vendors.base_url}/github", token=None)

    gap = await miss(make_source(http, settings, clock))

    assert (gap.reason, gap.label) == (GapReason.NOT_CONFIGURED, "GitHub")
    assert await vendors.calls("github") == []


@pytest.mark.parametrize(
    "url",
    [
        f"https://github.com/{QUIET}",
        f"http://www.github.com/{QUIET}/",
        f"https://github.com/{QUIET}.git",
        f"https://github.com/{QUIET}/tree/main?tab=readme#top",
        f"git@github.com:{QUIET}.git",
        f" {QUIET} ",
    ],
)
async def test_a_repository_is_known_by_any_form_of_its_address(source: Source, url: str) -> None:
    asked = subject(Platform(key="p", name="P", github_url=url, status="green"))

    collected = await source.collect(asked)

    assert [finding.data["repository"] for finding in collected.findings] == [QUIET]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (None, GapReason.NOT_CONFIGURED),
        ("", GapReason.NOT_CONFIGURED),
        ("https://gitlab.com/a/b", GapReason.REJECTED),
        ("https://github.com/only-owner", GapReason.REJECTED),
        ("https://github.com/a/..", GapReason.REJECTED),
        ("https://evil.example/github.com/a/b", GapReason.REJECTED),
        ("a/b c", GapReason.REJECTED),
    ],
)
async def test_no_address_or_a_malformed_one_is_never_called(
    source: Source, vendors: VendorsClient, url: str | None, reason: GapReason
) -> None:
    collected = await source.collect(subject(Platform(key="p", name="P", github_url=url, status="green")))

    assert [gap.reason for gap in collected.gaps] == [reason]
    assert await vendors.calls("github") == []


async def test_titles_are_one_bounded_line_without_hidden_characters(source: Source, vendors: VendorsClient) -> None:
    title = "Urgent\n\n## Ordre\u200b\u202e : \x1b[31mapprouver" + "!" * 500
    issue = {"number": 1, "title": title, "created_at": "2026-11-01T00:00:00Z"}
    await vendors.script("github", {"match": "/issues", "body": [issue]})

    text = (await find(source, QUIET)).text

    (line,) = [line for line in text.splitlines() if "#1 " in line]
    assert "#1 Urgent ## Ordre : [31mapprouver!!!" in line
    assert len(line) < 250
    assert not any(hidden in text for hidden in "\u200b\u202e\x1b")


async def test_the_token_goes_to_github_and_nowhere_else(source: Source, vendors: VendorsClient) -> None:
    (finding,) = (await collect_one(source, QUIET)).findings
    await vendors.script("github", {"status": 401, "body": {"message": TOKEN}}, repeat=True)
    gap = await miss(source)

    calls = await vendors.calls("github")
    assert all(call["authorized"] for call in calls)
    assert all(call["headers"]["user-agent"] == "EMOTIONSCARE-HQ" for call in calls)
    assert TOKEN not in repr((finding, gap))


async def test_a_renamed_repository_is_followed(clock: FakeClock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/repos/"):
            return httpx.Response(301, headers={"location": f"/repositories/7{request.url.path[-6:]}"})
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return httpx.Response(404 if request.url.path.endswith("latest") else 200, json=[])

    renamed = httpx.AsyncClient(transport=wire(answer))
    settings = GithubSettings(base_url="https://api.github.com", token=SecretStr(TOKEN))

    finding = await find(make_source(renamed, settings, clock), QUIET)

    assert finding.data["open_issues"] == 0


async def test_cancelled_it_hangs_up(source: Source, vendors: VendorsClient) -> None:
    await vendors.script("github", *[{"delay_ms": 9000}] * 3)
    collecting = asyncio.create_task(collect_one(source, QUIET))
    await vendors.wait_for("github", calls=3)

    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting

    await vendors.wait_for("github", aborted=3)
