"""The pipelines of the managed repositories: which passed lately, which failed, how long they took.

Durations come from a run's jobs: the run's own time of last change is not its end, as GitHub may move it months later.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from shared.errors import SourceError
from shared.facts import FactName, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count, format_duration, format_moment
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.outbound.shapes import Count, ForeignModel, Items
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.github_api import GithubApi, Repository

_READ: Final = 30
_SHOWN: Final = 6
_TIMED: Final = 10
_JOBS: Final = 100
_REFUSED: Final = (
    "Les exécutions de GitHub Actions ne peuvent pas être lues : donnez au jeton GITHUB_TOKEN "
    "la permission « Actions : lecture »."
)
_OUTCOMES: Final = {
    "success": "réussie",
    "failure": "en échec",
    "timed_out": "hors délai",
    "startup_failure": "en échec au démarrage",
    "cancelled": "annulée",
    "skipped": "sautée",
    "action_required": "en attente d'une personne",
    None: "en cours",
}
_FAILED: Final = frozenset({"failure", "timed_out", "startup_failure"})


_NEVER_RAN: Final = frozenset({"cancelled", "skipped", "action_required", "stale"})
"""Conclusions of runs whose duration says nothing about the work."""


class _Run(ForeignModel):
    id: Count | None = None
    name: str = "sans nom"
    head_branch: str = "?"
    event: str = ""
    conclusion: str | None = None
    run_started_at: AwareDatetime | None = None
    created_at: AwareDatetime | None = None

    @property
    def started_at(self) -> datetime | None:
        return self.run_started_at or self.created_at


class _Runs(ForeignModel):
    total_count: Count = 0
    workflow_runs: Items[_Run]


class _Job(ForeignModel):
    completed_at: AwareDatetime | None = None


class _Jobs(ForeignModel):
    jobs: Items[_Job]


_RUNS: Final = TypeAdapter(_Runs)
_ENDS: Final = TypeAdapter(_Jobs)
_Durations = dict[int, timedelta]


class GithubActionsSource:
    """Reads the latest workflow runs of each repository.

    Shape: one Finding per platform, or one Gap naming why there is none.
    Cost: one request per repository, and one for each of its ten latest runs that ran to the end; GitHub does not count
    those whose answer has not changed.
    Source: GitHub REST v3, /repos/{owner}/{name}/actions/runs and …/runs/{id}/jobs.
    """

    name: Final[str] = SourceName.GITHUB_ACTIONS.value

    def __init__(self, api: GithubApi, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        return await self._api.collect(self.name, subject, self._read)

    async def _read(self, repository: Repository) -> Finding:
        path = f"/repos/{repository.path}/actions/runs"
        page = await self._api.read(_RUNS, path, {"per_page": str(_READ)}, refused=_REFUSED)
        runs = page.workflow_runs[:_READ]
        ended = [run for run in runs if run.conclusion is not None]
        outcomes = Counter(run.conclusion for run in runs)
        failed = [run for run in ended if run.conclusion in _FAILED]
        durations = await self._time(path, [run for run in ended if run.conclusion not in _NEVER_RAN][:_TIMED])
        took = sum(durations.values(), timedelta(0)) / len(durations) if durations else None
        total = max(page.total_count, len(runs))
        known = format_count(total, "exécution de pipeline enregistrée", "exécutions de pipeline enregistrées")
        read_at = self._clock.now()
        values = _count_outcomes(runs, outcomes["success"], len(failed)) | {
            FactName.WORKFLOW_RUNS: total,
            FactName.WORKFLOW_MEAN_DURATION: None if took is None else round(took.total_seconds()),
        }
        succeeded = format_count(outcomes["success"], "réussie", "réussies")
        cancelled = format_count(outcomes["cancelled"], "annulée", "annulées")
        lines = [
            f"{repository.path} : {known}, {format_count(len(runs), 'dernière lue', 'dernières lues')}",
            f"Sur celles-ci : {succeeded}, {len(failed)} en échec, {outcomes[None]} en cours, {cancelled}",
            f"Durée moyenne : {format_duration(took)} (sur {_count_ends(len(durations))})" if took is not None else "",
            *(["Les plus récentes :"] if runs else []),
            *(f"  - {_describe(run, durations)}" for run in runs[:_SHOWN]),
            *(["Derniers échecs :"] if failed else []),
            *(f"  - {_describe(run, durations)}" for run in failed[:_SHOWN]),
        ]
        return Finding(
            source=self.name,
            label=repository.label,
            text=shorten("\n".join(filter(None, lines)), SOURCE_TEXT_CHARS),
            data={
                "repository": repository.path,
                "workflow_runs": page.total_count,
                "read": len(runs),
                "succeeded": outcomes["success"],
                "failed": len(failed),
                "in_progress": outcomes[None],
                "timed": len(durations),
                "mean_seconds": None if took is None else round(took.total_seconds()),
            },
            facts=make_facts(values, source=self.name, at=read_at, subject=repository.platform_key),
            url=f"https://github.com/{repository.path}/actions",
            platform_key=repository.platform_key,
            read_at=read_at,
        )

    async def _time(self, path: str, runs: Sequence[_Run]) -> _Durations:
        """Return how long each run took, from its start to the end of its last job, for those that state both."""

        async def ask(run: _Run) -> timedelta | None:
            try:
                # For a repeated run: the jobs of its latest attempt, which its start time belongs to as well.
                answer = await self._api.read(_ENDS, f"{path}/{run.id}/jobs", {"per_page": str(_JOBS)})
            except SourceError:
                return None
            ends = [job.completed_at for job in answer.jobs if job.completed_at is not None]
            return max(timedelta(0), max(ends) - run.started_at) if ends and run.started_at else None

        asked = [run for run in runs if run.id is not None]
        found = await asyncio.gather(*map(ask, asked))
        return {run.id: took for run, took in zip(asked, found, strict=True) if run.id is not None and took is not None}


def _count_outcomes(runs: Sequence[_Run], succeeded: int, failed: int) -> dict[FactName, Decimal | int | None]:
    decided = succeeded + failed
    return {
        FactName.WORKFLOW_RUNS_READ: len(runs),
        FactName.WORKFLOW_RUNS_SUCCEEDED: succeeded,
        FactName.WORKFLOW_RUNS_FAILED: failed,
        FactName.WORKFLOW_SUCCESS_RATE: round(Decimal(100 * succeeded) / decided, 2) if decided else None,
    }


def _count_ends(number: int) -> str:
    return format_count(number, "exécution menée à son terme", "exécutions menées à leur terme")


def _describe(run: _Run, durations: _Durations) -> str:
    name, branch = clean_line(run.name, 80), clean_line(run.head_branch, 60)
    outcome = _OUTCOMES.get(run.conclusion) or clean_line(run.conclusion or "", 30)
    moment = f", {format_moment(run.started_at)}" if run.started_at else ""
    took = f", durée {format_duration(durations[run.id])}" if run.id in durations else ""
    return f"{name} ({branch}, {clean_line(run.event, 30)}) : {outcome}{moment}{took}"
