"""The pipelines of the managed repositories: which passed lately, which failed, how long they took."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, BaseModel, TypeAdapter

from shared.findings import Collected, Finding
from shared.french import format_count, format_duration, format_moment
from shared.registry import SourceName
from shared.wording import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.github_api import GithubApi

_READ: Final = 30
_SHOWN: Final = 6
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


class _Run(BaseModel):
    name: str | None = None
    head_branch: str | None = None
    event: str = ""
    conclusion: str | None = None
    run_started_at: AwareDatetime | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def started_at(self) -> datetime:
        return self.run_started_at or self.created_at

    @property
    def took(self) -> timedelta:
        return max(timedelta(0), self.updated_at - self.started_at)


class _Runs(BaseModel):
    total_count: int
    workflow_runs: list[_Run]


_RUNS: Final = TypeAdapter(_Runs)


class GithubActionsSource:
    """Reads the latest workflow runs of each repository.

    Shape: one Finding per platform, or one Gap naming why there is none.   Cost: one request per repository.
    Source: GitHub REST v3, /repos/{owner}/{name}/actions/runs.
    """

    name: Final[str] = SourceName.GITHUB_ACTIONS.value

    def __init__(self, api: GithubApi, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        return await self._api.collect(self.name, subject, self._read)

    async def _read(self, repository: str, label: str) -> Finding:
        path = f"/repos/{repository}/actions/runs"
        page = await self._api.read(_RUNS, path, {"per_page": str(_READ)}, refused=_REFUSED)
        runs = page.workflow_runs[:_READ]
        ended = [run for run in runs if run.conclusion is not None]
        outcomes = Counter(run.conclusion for run in runs)
        failed = [run for run in ended if run.conclusion in _FAILED]
        took = sum((run.took for run in ended), timedelta(0)) / len(ended) if ended else None
        known = format_count(
            page.total_count, "exécution de pipeline enregistrée", "exécutions de pipeline enregistrées"
        )
        succeeded = format_count(outcomes["success"], "réussie", "réussies")
        cancelled = format_count(outcomes["cancelled"], "annulée", "annulées")
        lines = [
            f"{repository} : {known}, {format_count(len(runs), 'dernière lue', 'dernières lues')}",
            f"Sur celles-ci : {succeeded}, {len(failed)} en échec, {outcomes[None]} en cours, {cancelled}",
            f"Durée moyenne : {format_duration(took)}" if took is not None else "",
            *(["Les plus récentes :"] if runs else []),
            *(f"  - {_describe(run)}" for run in runs[:_SHOWN]),
            *(["Derniers échecs :"] if failed else []),
            *(f"  - {_describe(run)}" for run in failed[:_SHOWN]),
        ]
        return Finding(
            source=self.name,
            label=label,
            text=shorten("\n".join(filter(None, lines)), SOURCE_TEXT_CHARS),
            data={
                "repository": repository,
                "workflow_runs": page.total_count,
                "read": len(runs),
                "succeeded": outcomes["success"],
                "failed": len(failed),
                "in_progress": outcomes[None],
                "mean_seconds": None if took is None else round(took.total_seconds()),
            },
            url=f"https://github.com/{repository}/actions",
            read_at=self._clock.now(),
        )


def _describe(run: _Run) -> str:
    name = clean_line(run.name or "sans nom", 80)
    branch = clean_line(run.head_branch or "?", 60)
    outcome = _OUTCOMES.get(run.conclusion) or clean_line(run.conclusion or "", 30)
    return (
        f"{name} ({branch}, {clean_line(run.event, 30)}) : {outcome}, {format_moment(run.started_at)}, "
        f"durée {format_duration(run.took)}"
    )
