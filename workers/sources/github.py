"""The managed repositories on GitHub: open work, latest commits, latest release.

Totals need care. A page of issues counts at most its own size and includes pull requests, and its ``Link``
header has named no last page since 2025. So what fits on one page is counted there, exactly; for a busier
repository the total is its own count of open work minus the pull requests, whose list does name its last page.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from shared.facts import FactName, age_in_days, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count, format_day, format_number
from shared.registry import SourceName
from shared.untrusted_text import clean_line, format_list, shorten
from workers.outbound.shapes import Count, ForeignModel, Items, Present
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.github_api import GithubApi, Repository

_PAGE: Final = 50
_SHOWN: Final = 5
_COMMITS_READ: Final = 30
_WEEK: Final = timedelta(days=7)
_RELEASES_READ: Final = 10


class _Issue(ForeignModel):
    number: Count
    title: str = "sans titre"
    created_at: AwareDatetime | None = None
    pull_request: Present = False


class _Signature(ForeignModel):
    date: AwareDatetime | None = None


class _CommitBody(ForeignModel):
    message: str = "sans message"
    committer: _Signature | None = None


class _Commit(ForeignModel):
    commit: _CommitBody = _CommitBody()

    @property
    def committed_at(self) -> datetime | None:
        return self.commit.committer.date if self.commit.committer else None


class _Release(ForeignModel):
    tag_name: str = "sans nom"
    published_at: AwareDatetime | None = None
    draft: bool = False
    prerelease: bool = False


class _Total(ForeignModel):
    total_count: Count


class _Home(ForeignModel):
    open_issues_count: Count


_ISSUES: Final = TypeAdapter(Items[_Issue])
_COMMITS: Final = TypeAdapter(Items[_Commit])
_RELEASE: Final = TypeAdapter[_Release | None](_Release | None)
_TOTAL: Final = TypeAdapter(_Total)
_RELEASES: Final = TypeAdapter(Items[_Release])
_PULLS: Final = TypeAdapter(list[Present])  # only counted
_HOME: Final = TypeAdapter(_Home)


class GithubSource:
    """Reads the open work of the managed repositories.

    Shape: one Finding per platform, or one Gap naming why there is none.
    Cost: three requests per repository at once, two more where over a page of work is open, one more where the newest
    releases are all pre-releases; GitHub does not count those whose answer has not changed.
    Source: GitHub REST v3, /repos/{owner}/{name} and its /issues, /pulls, /commits, /releases, /releases/latest.
    """

    name: Final[str] = SourceName.GITHUB.value

    def __init__(self, api: GithubApi, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        return await self._api.collect(self.name, subject, self._read)

    async def _read(self, repository: Repository) -> Finding:
        home = f"/repos/{repository.path}"
        newest = {"state": "open", "sort": "created", "direction": "desc", "per_page": str(_PAGE)}
        latest = {"per_page": str(_COMMITS_READ)}
        read = self._api.read_page
        try:
            async with asyncio.TaskGroup() as group:
                # 410: issues are switched off. 409: no commit yet.
                work_task = group.create_task(read(_ISSUES, f"{home}/issues", newest, instead={410: []}))
                commits_task = group.create_task(read(_COMMITS, f"{home}/commits", latest, instead={409: []}))
                release_task = group.create_task(self._read_release(home))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        (work, paging), (commits, later), release = work_task.result(), commits_task.result(), release_task.result()
        issues, pulls = _split(work)
        open_issues, open_pulls = len(issues), len(pulls)
        is_whole = not paging.has_next and len(work) < _PAGE  # there may be fewer readable ones than the page held
        if not is_whole:
            open_issues, open_pulls = await self._count(repository.path)
        read_at = self._clock.now()
        week = _count_week(commits, read_at, is_whole=not later.has_next and len(commits) < _COMMITS_READ)
        values = {FactName.OPEN_ISSUES: open_issues, FactName.OPEN_PULLS: open_pulls, FactName.COMMITS_WEEK: week}
        values |= _find_ages(work if is_whole else [], commits, release, read_at)
        lines = [
            f"{repository.path} : {_describe_totals(open_issues, open_pulls)}",
            _describe_release(release),
            _describe_week(week),
            *format_list("Derniers commits", map(_describe_commit, commits[:_SHOWN])),
            *format_list("Tickets les plus récents", map(_describe_issue, issues[:_SHOWN])),
            *format_list("Pull requests les plus récentes", map(_describe_pull, pulls[:_SHOWN])),
        ]
        return Finding(
            source=self.name,
            label=repository.label,
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={
                "repository": repository.path,
                "open_issues": open_issues,
                "open_pull_requests": open_pulls,
                "last_commit_at": _isoformat(commits[0].committed_at if commits else None),
                "latest_release": clean_line(release.tag_name) if release else None,
                "latest_release_at": _isoformat(release.published_at if release else None),
                "latest_release_is_prerelease": release.prerelease if release else None,
            },
            facts=make_facts(values, source=self.name, at=read_at, subject=repository.platform_key),
            url=f"https://github.com/{repository.path}",
            platform_key=repository.platform_key,
            read_at=read_at,
        )

    async def _read_release(self, home: str) -> _Release | None:
        """Read the newest stable release, or else the newest pre-release.

        One call for all but a repository whose newest releases are all pre-releases: its stable one may be older.
        """
        newest = {"per_page": str(_RELEASES_READ)}
        # 404: the list may not be seen.
        releases = await self._api.read(_RELEASES, f"{home}/releases", newest, instead={404: []})
        published = [release for release in releases if not release.draft]
        stable = [release for release in published if not release.prerelease]
        if published and not stable:
            latest = await self._api.read(_RELEASE, f"{home}/releases/latest", {}, instead={404: None})
            stable = [] if latest is None else [latest]
        return max(stable or published, key=lambda release: _isoformat(release.published_at) or "", default=None)

    async def _count(self, repository: str) -> tuple[int, int]:
        """Count the open issues and pull requests of a busy repository."""
        home = f"/repos/{repository}"
        page, paging = await self._api.read_page(_PULLS, f"{home}/pulls", {"state": "open", "per_page": "1"})
        pulls = paging.last_page or len(page)
        if paging.has_next and paging.last_page is None:  # in case GitHub no longer names it
            query = {"q": f"repo:{repository} is:pr is:open", "per_page": "1"}
            pulls = (await self._api.read(_TOTAL, "/search/issues", query)).total_count
        work = await self._api.read(_HOME, home, {})
        return max(0, work.open_issues_count - pulls), pulls


def _split(work: Sequence[_Issue]) -> tuple[list[_Issue], list[_Issue]]:
    """Part issues from pull requests."""
    return [item for item in work if not item.pull_request], [item for item in work if item.pull_request]


def _count_week(commits: Sequence[_Commit], now: datetime, *, is_whole: bool) -> int | None:
    """Count the commits of the last seven days; None if they may be more than were read, or one has no date."""
    dates = [commit.committed_at for commit in commits]
    known = [date for date in dates if date is not None]
    since = now - _WEEK
    if len(known) < len(dates) or not (is_whole or (known and known[-1] < since)):
        return None
    return sum(since <= date <= now for date in known)


def _find_ages(
    work: Sequence[_Issue], commits: Sequence[_Commit], release: _Release | None, now: datetime
) -> dict[FactName, int | None]:
    """Count the days since what happened last, and since what has been open longest in a whole list of open work."""
    issues, pulls = _split(work)
    return {
        FactName.LAST_COMMIT_AGE: age_in_days(commits[0].committed_at if commits else None, now),
        FactName.LAST_RELEASE_AGE: age_in_days(release.published_at if release else None, now),
        FactName.OLDEST_ISSUE_AGE: _find_oldest(issues, now),
        FactName.OLDEST_PULL_AGE: _find_oldest(pulls, now),
    }


def _find_oldest(work: Sequence[_Issue], now: datetime) -> int | None:
    """Return how many days the oldest has been open; None if there is none, or one has no date."""
    dates = [item.created_at for item in work]
    known = [date for date in dates if date is not None]
    return age_in_days(min(known), now) if known and len(known) == len(dates) else None


def _describe_week(commits: int | None) -> str:
    if commits is None:
        return f"Commits des 7 derniers jours : non comptés (seuls les {_COMMITS_READ} derniers sont lus)"
    return f"Commits des 7 derniers jours : {format_number(commits)}"


def _describe_release(release: _Release | None) -> str:
    if release is None:
        return "Dernière version : aucune publiée"
    day = f", publiée le {format_day(release.published_at)}" if release.published_at else ""
    kind = " (préversion ; aucune version stable n'est publiée)" if release.prerelease else ""
    return f"Dernière version : {clean_line(release.tag_name)}{kind}{day}"


def _describe_commit(commit: _Commit) -> str:
    day = f" ({format_day(commit.committed_at)})" if commit.committed_at else ""
    title, _, _ = commit.commit.message.partition("\n")
    return f"{clean_line(title)}{day}"


def _describe_totals(issues: int, pulls: int) -> str:
    return (
        f"{format_count(issues, 'ticket ouvert', 'tickets ouverts')}, "
        f"{format_count(pulls, 'pull request ouverte', 'pull requests ouvertes')}"
    )


def _describe_issue(issue: _Issue) -> str:
    day = f" (ouvert le {format_day(issue.created_at)})" if issue.created_at else ""
    return f"#{issue.number} {clean_line(issue.title)}{day}"


def _describe_pull(pull: _Issue) -> str:
    day = f" (ouverte le {format_day(pull.created_at)})" if pull.created_at else ""
    return f"#{pull.number} {clean_line(pull.title)}{day}"


def _isoformat(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
