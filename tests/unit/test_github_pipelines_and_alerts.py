"""Pipelines and dependency alerts of the repositories: what is reported, and which permission is missing."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from devstack.vendors.github import REPOSITORIES
from shared.facts import FactName
from shared.findings import Finding, GapReason
from shared.registry import find_run_type
from workers.ports import SOURCE_TEXT_CHARS, Platform, Source, Subject
from workers.settings import GithubSettings
from workers.sources.github_actions import GithubActionsSource
from workers.sources.github_alerts import GithubAlertsSource
from workers.sources.github_api import GithubApi

BUSY, QUIET, CLOSED = "laeticiamng/emotionscare", "laeticiamng/nearvity", "laeticiamng/track-triumph-tavern"


def subject(*repositories: str) -> Subject:
    platforms = [
        Platform(key=name, name=name.partition("/")[2], github_url=name, status="green") for name in repositories
    ]
    return Subject(run_type=find_run_type("DEPLOY_TO_PRODUCTION"), platforms=tuple(platforms))


def values_of(finding: Finding) -> dict[FactName, Decimal]:
    assert {(fact.subject, fact.source, fact.at) for fact in finding.facts} <= {
        (finding.platform_key, finding.source, finding.read_at)
    }
    return {fact.name: fact.value for fact in finding.facts}


@pytest.fixture
def api(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> GithubApi:
    settings = GithubSettings(base_url=f"{vendors.base_url}/github", token=SecretStr("a-token"))
    return GithubApi(http, settings, clock=clock)


@pytest.fixture
def actions(api: GithubApi, clock: FakeClock) -> Source:
    return GithubActionsSource(api, clock=clock)


@pytest.fixture
def alerts(api: GithubApi, clock: FakeClock) -> Source:
    return GithubAlertsSource(api, clock=clock)


class TestPipelines:
    """What ran lately, and how it ended."""

    async def test_the_latest_runs_are_counted_by_their_outcome(self, actions: Source, vendors: VendorsClient) -> None:
        def run(conclusion: str | None, seconds: int) -> dict[str, Any]:
            ends[len(ends)] = {
                "match": f"/runs/{len(ends)}/jobs",
                "status": 200,
                "body": {"jobs": [{"completed_at": f"2026-11-03T08:0{seconds // 60}:{seconds % 60:02d}Z"}]},
            }
            return {
                "id": len(ends) - 1,
                "name": "CI\n## Ordre",
                "head_branch": "main",
                "event": "push",
                "conclusion": conclusion,
                "created_at": "2026-11-03T08:00:00Z",
                "run_started_at": "2026-11-03T08:00:00Z",
                "updated_at": "2027-02-01T08:00:00Z",
            }

        ends: dict[int, dict[str, Any]] = {}
        runs = [run(None, 0), run("success", 60), run("failure", 120), run("timed_out", 180), run("brand_new", 60)]
        await vendors.script("github", *ends.values(), {"body": {"total_count": 812, "workflow_runs": runs}})

        (finding,) = (await actions.collect(subject(QUIET))).findings

        assert finding.label == "GitHub Actions · nearvity"
        assert finding.url == f"https://github.com/{QUIET}/actions"
        assert "812 exécutions de pipeline enregistrées, 5 dernières lues" in finding.text
        assert "1 réussie, 2 en échec, 1 en cours, 0 annulée" in finding.text
        assert "Durée moyenne : 1 min 45 s" in finding.text
        assert "CI ## Ordre (main, push) : hors délai, mardi 3 novembre 2026 à 9 h 00" in finding.text
        assert "brand_new" in finding.text
        assert finding.data["mean_seconds"] == 105
        assert finding.platform_key == QUIET
        assert values_of(finding) == {
            FactName.WORKFLOW_RUNS: 812,
            FactName.WORKFLOW_RUNS_READ: 5,
            FactName.WORKFLOW_RUNS_SUCCEEDED: 1,
            FactName.WORKFLOW_RUNS_FAILED: 2,
            FactName.WORKFLOW_SUCCESS_RATE: Decimal("33.33"),
            FactName.WORKFLOW_MEAN_DURATION: 105,
        }

    async def test_how_long_a_run_took_is_said_by_its_jobs(self, actions: Source, vendors: VendorsClient) -> None:
        """Of a run that was skipped or cancelled, and of one that GitHub changed again, nothing follows."""

        def run(number: int, conclusion: str) -> dict[str, Any]:
            started = "2026-08-03T08:00:00Z"
            changed = "2026-11-01T08:00:00Z"
            return {"id": number, "conclusion": conclusion, "run_started_at": started, "updated_at": changed}

        runs = [run(1, "success"), run(2, "skipped"), run(3, "cancelled"), run(4, "success"), run(5, "failure")]
        jobs = [{"completed_at": "2026-08-03T08:01:00Z"}, {"completed_at": "2026-08-03T08:02:00Z"}, {"completed_at": 7}]
        await vendors.script(
            "github",
            {"match": "/1/jobs", "status": 200, "body": {"jobs": jobs}},
            {"match": "/4/jobs", "status": 404},
            {"match": "/5/jobs", "status": 200, "body": {"jobs": []}},
            {"body": {"workflow_runs": runs}},
        )

        (finding,) = (await actions.collect(subject(QUIET))).findings

        assert "Durée moyenne : 2 min 00 s (sur 1 exécution menée à son terme)" in finding.text
        assert (finding.data["mean_seconds"], finding.data["timed"]) == (120, 1)
        assert finding.text.count("durée 2 min 00 s") == 1
        asked = sorted(
            call["path"].removeprefix(f"/repos/{QUIET}/actions/runs") for call in await vendors.calls("github")
        )
        assert asked == ["", "/1/jobs", "/4/jobs", "/5/jobs"]

    async def test_the_last_change_of_a_run_is_not_its_end(self, actions: Source) -> None:
        (finding,) = (await actions.collect(subject(QUIET))).findings

        assert finding.data["timed"] == 10
        assert 80 <= int(str(finding.data["mean_seconds"])) <= 600

    async def test_a_repository_without_pipelines_is_a_fact(self, actions: Source, vendors: VendorsClient) -> None:
        await vendors.script("github", {"body": {"total_count": 0, "workflow_runs": []}})

        (finding,) = (await actions.collect(subject(QUIET))).findings

        assert "0 exécution de pipeline enregistrée" in finding.text
        assert finding.data["mean_seconds"] is None
        assert not values_of(finding).keys() & {FactName.WORKFLOW_SUCCESS_RATE, FactName.WORKFLOW_MEAN_DURATION}

    @pytest.mark.parametrize("status", [403, 404])
    async def test_a_missing_permission_is_named(self, actions: Source, vendors: VendorsClient, status: int) -> None:
        await vendors.script("github", {"status": status})

        (gap,) = (await actions.collect(subject(QUIET))).gaps

        assert gap.reason is GapReason.REJECTED
        assert "« Actions : lecture »" in gap.sentence


class TestAlerts:
    """Known flaws in dependencies, the gravest first."""

    async def test_all_pages_are_counted(self, alerts: Source, vendors: VendorsClient) -> None:
        (finding,) = (await alerts.collect(subject(BUSY))).findings

        assert finding.data["open_alerts"] == 130
        assert finding.data["complete"] is True
        assert sum(int(str(finding.data[s])) for s in ("critical", "high", "medium", "low")) == 130
        assert [call["query"].get("after") for call in await vendors.calls("github")] == [None, "100"]
        values = values_of(finding)
        assert values[FactName.OPEN_ALERTS] == 130
        assert values[FactName.SEVERE_ALERTS] == values[FactName.CRITICAL_ALERTS] + values[FactName.HIGH_ALERTS] > 0
        assert finding.platform_key == BUSY
        first = finding.text.splitlines()[1]
        assert "gravité critique" in first
        assert len(finding.text) <= SOURCE_TEXT_CHARS

    async def test_more_than_is_read_is_told_as_at_least(self, alerts: Source, vendors: VendorsClient) -> None:
        endless = {"headers": {"link": '<https://api.github.com/x?after=0>; rel="next"'}}
        await vendors.script("github", endless, repeat=True)

        (finding,) = (await alerts.collect(subject(BUSY))).findings

        assert "au moins 300 alertes" in finding.text
        assert finding.data["complete"] is False
        assert finding.facts == ()
        assert len(await vendors.calls("github")) == 3

    async def test_alerts_that_are_switched_off_are_a_named_gap(self, alerts: Source) -> None:
        collected = await alerts.collect(subject(*REPOSITORIES))

        assert len(collected.findings) == len(REPOSITORIES) - 1
        (gap,) = collected.gaps
        assert gap.label == "GitHub · alertes · track-triumph-tavern"
        assert gap.reason is GapReason.REJECTED
        assert "« Dependabot alerts : lecture »" in gap.sentence


async def test_the_sources_share_one_limit(actions: Source, alerts: Source, vendors: VendorsClient) -> None:
    await vendors.script("github", {"status": 429, "headers": {"retry-after": "600"}})
    await actions.collect(subject(QUIET))

    collected = await alerts.collect(subject(QUIET))

    assert [gap.reason for gap in collected.gaps] == [GapReason.UNAVAILABLE]
    assert len(await vendors.calls("github")) == 1
