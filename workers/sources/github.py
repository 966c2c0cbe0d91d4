"""The managed repositories on GitHub: open work, latest commits, latest release.

Totals need care. A page of issues counts at most its own size and mixes pull requests in, and its ``Link``
header has named no last page since 2025. So what fits on one page is counted there, exactly; only for a
busier repository is the search asked, whose own limit (30 a minute) a habit of searching would exhaust.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, JsonValue, TypeAdapter, ValidationError

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.findings import Collected, Finding
from shared.registry import SourceName
from shared.wording import clean_line, say_day, say_hour, shorten
from workers import outbound
from workers.ports import SOURCE_TEXT_CHARS, Clock, Platform, Subject
from workers.settings import GithubSettings
from workers.sources.gaps import SourceTimedOut, describe_gap, label_of

_PAGE: Final = 20
_SHOWN: Final = 5
_PARALLEL: Final = 8
_CALL_DEADLINE: Final = timedelta(seconds=6)  # three in a row end before the source's own deadline
_UNKNOWN_HOLD: Final = timedelta(minutes=1)  # what GitHub asks for when it names no end to its limit
_REPOSITORY: Final = re.compile(
    r"(?:(?:https?://|git@)?(?:www\.)?github\.com[/:])?"
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100}?)(?:\.git)?(?:[/?#].*)?"
)

_T = TypeVar("_T")


class _Issue(BaseModel):
    number: int
    title: str
    created_at: AwareDatetime
    pull_request: JsonValue = None


class _Signature(BaseModel):
    date: AwareDatetime | None = None


class _CommitBody(BaseModel):
    message: str
    committer: _Signature | None = None


class _Commit(BaseModel):
    commit: _CommitBody

    @property
    def committed_at(self) -> datetime | None:
        return self.commit.committer.date if self.commit.committer else None


class _Release(BaseModel):
    tag_name: str
    published_at: AwareDatetime | None = None


class _Total(BaseModel):
    total_count: int


_ISSUES: Final = TypeAdapter(list[_Issue])
_COMMITS: Final = TypeAdapter(list[_Commit])
_RELEASE: Final = TypeAdapter[_Release | None](_Release | None)
_TOTAL: Final = TypeAdapter(_Total)


class GithubSource:
    """Reads the open work of the managed repositories.

    Shape: one Finding per platform, or one Gap naming why there is none.
    Cost: three requests per repository, five when more than a page of work is open; none without a token,
    since anonymous calls see no private repository and are counted against the machine's address.
    Concurrency: eight repositories at once. A limit met once holds back every further call until its end.
    Source: GitHub REST v3, /repos/{owner}/{name}/{issues,commits,releases/latest} and /search/issues.
    """

    name: Final[str] = SourceName.GITHUB.value

    def __init__(self, http: httpx.AsyncClient, settings: GithubSettings, *, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._places = asyncio.Semaphore(_PARALLEL)
        self._held_until: datetime | None = None

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        if self._settings.token is None:
            error = SourceNotConfigured(
                "GITHUB_TOKEN is not set",
                sentence="GitHub n'est pas configuré : le jeton GITHUB_TOKEN manque. "
                "Renseignez-le pour inclure ces données.",
            )
            return Collected(gaps=(describe_gap(error, source=self.name, label=label_of(self.name)),))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._collect_one(platform)) for platform in subject.platforms]
        return sum((task.result() for task in tasks), Collected())

    async def _collect_one(self, platform: Platform) -> Collected:
        label = f"GitHub · {clean_line(platform.name)}"
        try:
            repository = _parse_repository(platform.github_url)
            async with self._places:
                finding = await self._read(repository, label)
        except SourceError as error:
            return Collected(gaps=(describe_gap(error, source=self.name, label=label),))
        return Collected(findings=(finding,))

    async def _read(self, repository: str, label: str) -> Finding:
        home = f"/repos/{repository}"
        newest = {"state": "open", "sort": "created", "direction": "desc", "per_page": str(_PAGE)}
        latest = {"per_page": str(_SHOWN)}
        try:
            async with asyncio.TaskGroup() as group:
                # 410: issues are switched off. 409: no commit yet. 404: no release yet.
                work_task = group.create_task(self._get(_ISSUES, f"{home}/issues", newest, {410: []}))
                commits_task = group.create_task(self._get(_COMMITS, f"{home}/commits", latest, {409: []}))
                release_task = group.create_task(self._get(_RELEASE, f"{home}/releases/latest", {}, {404: None}))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        work, commits, release = work_task.result(), commits_task.result(), release_task.result()
        issues = [item for item in work if item.pull_request is None]
        pulls = [item for item in work if item.pull_request is not None]
        open_issues, open_pulls = len(issues), len(pulls)
        if len(work) >= _PAGE:
            open_issues = await self._count(repository, "issue")
            open_pulls = await self._count(repository, "pr")
        lines = [
            f"{repository} : {open_issues} ticket(s) ouvert(s), {open_pulls} pull request(s) ouverte(s)",
            _describe_release(release),
            *_list("Derniers commits", map(_describe_commit, commits[:_SHOWN])),
            *_list("Tickets les plus récents", map(_describe_issue, issues[:_SHOWN])),
            *_list("Pull requests les plus récentes", map(_describe_issue, pulls[:_SHOWN])),
        ]
        return Finding(
            source=self.name,
            label=label,
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={
                "repository": repository,
                "open_issues": open_issues,
                "open_pull_requests": open_pulls,
                "last_commit_at": _isoformat(commits[0].committed_at if commits else None),
                "latest_release": clean_line(release.tag_name) if release else None,
                "latest_release_at": _isoformat(release.published_at if release else None),
            },
            url=f"https://github.com/{repository}",
            read_at=self._clock.now(),
        )

    async def _count(self, repository: str, kind: str) -> int:
        query = {"q": f"repo:{repository} is:{kind} is:open", "per_page": "1"}
        return (await self._get(_TOTAL, "/search/issues", query, {})).total_count

    async def _get(self, shape: TypeAdapter[_T], path: str, params: Mapping[str, str], instead: Mapping[int, _T]) -> _T:
        """Read one thing; ``instead`` says which statuses are answers too, and what they mean."""
        now = self._clock.now()
        if self._held_until is not None and now < self._held_until:
            raise _limited(self._held_until)
        token = self._settings.token
        assert token is not None
        try:
            reply = await outbound.get(
                self._http,
                f"{str(self._settings.base_url).rstrip('/')}{path}",
                within=_CALL_DEADLINE,
                clock=self._clock,
                params=params,
                headers={
                    "accept": "application/vnd.github+json",
                    "authorization": f"Bearer {token.get_secret_value()}",
                    "x-github-api-version": "2022-11-28",
                },
                follow_redirects=True,  # a renamed repository answers 301; httpx keeps the token to the host
            )
            if reply.status in instead:
                return instead[reply.status]
            if reply.status == httpx.codes.OK:
                return shape.validate_python(reply.json())
        except outbound.CallFailed as error:
            late = error.fault is outbound.Fault.TIMED_OUT
            raise (SourceTimedOut if late else SourceUnavailable)(
                str(error), sentence="GitHub ne répond pas. Relancez plus tard pour inclure ces données."
            ) from error
        except ValidationError as error:
            message = f"GitHub's answer has another shape than expected: {error.error_count()} error(s)"
            sentence = "GitHub a rendu une réponse illisible ; l'équipe technique doit la vérifier."
            raise SourceUnavailable(message, sentence=sentence) from None
        end = _read_limit(reply, self._clock.now())
        if end is not None:
            self._held_until = end
            raise _limited(end)
        raise _refusal(reply.status)


def _parse_repository(url: str | None) -> str:
    """Return ``owner/name`` from whatever form of address the platform has."""
    if not url:
        sentence = "Aucun dépôt GitHub n'est renseigné pour cette plateforme."
        raise SourceNotConfigured("the platform has no repository", sentence=sentence)
    match = _REPOSITORY.fullmatch(url.strip())
    if match is None or not match["name"].strip("."):
        sentence = "L'adresse du dépôt GitHub de cette plateforme est illisible ; corrigez-la."
        raise SourceRejected("the platform's repository address is malformed", sentence=sentence)
    return f"{match['owner']}/{match['name']}"


def _read_limit(reply: outbound.Reply, now: datetime) -> datetime | None:
    """Return when GitHub's limit ends, if the reply is about a limit.

    A plain 403 is a refusal; it is a limit when nothing remains, when it says to wait, or says so in words.
    """
    if reply.status not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return None
    wait = outbound.parse_retry_after(reply.headers, now)
    if wait is not None:
        return now + wait
    if reply.headers.get("x-ratelimit-remaining") == "0":
        try:
            reset = datetime.fromtimestamp(int(reply.headers["x-ratelimit-reset"]), tz=UTC)
        except (KeyError, ValueError, OverflowError, OSError):
            return now + _UNKNOWN_HOLD
        return min(max(reset, now), now + outbound.RETRY_AFTER_CAP)
    spoken = reply.status == httpx.codes.TOO_MANY_REQUESTS or b"rate limit" in reply.body.lower()
    return now + _UNKNOWN_HOLD if spoken else None


def _limited(end: datetime) -> SourceUnavailable:
    sentence = f"GitHub limite nos appels. Ces données reviendront à {say_hour(end)} ; relancez ensuite."
    return SourceUnavailable(f"GitHub's limit holds until {end.isoformat()}", sentence=sentence)


def _refusal(status: int) -> SourceError:
    message = f"GitHub answered {status}"
    match status:
        case 401:
            sentence = "GitHub refuse le jeton GITHUB_TOKEN : il est faux ou expiré. Renouvelez-le."
        case 403 | 404 | 451:
            sentence = "Dépôt introuvable ou accès refusé : vérifiez son adresse et les droits du jeton."
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            sentence = "GitHub est en panne pour le moment. Relancez plus tard pour inclure ces données."
            return SourceUnavailable(message, sentence=sentence)
        case _:
            sentence = f"GitHub a refusé la lecture (code {status}) ; l'équipe technique doit la vérifier."
    return SourceRejected(message, sentence=sentence)


def _list(title: str, items: Iterable[str]) -> Sequence[str]:
    lines = [f"  - {item}" for item in items]
    return [f"{title} :", *lines] if lines else [f"{title} : aucun"]


def _describe_release(release: _Release | None) -> str:
    if release is None:
        return "Dernière version : aucune publiée"
    day = f", publiée le {say_day(release.published_at)}" if release.published_at else ""
    return f"Dernière version : {clean_line(release.tag_name)}{day}"


def _describe_commit(commit: _Commit) -> str:
    day = f" ({say_day(commit.committed_at)})" if commit.committed_at else ""
    title, _, _ = commit.commit.message.partition("\n")
    return f"{clean_line(title)}{day}"


def _describe_issue(issue: _Issue) -> str:
    return f"#{issue.number} {clean_line(issue.title)} (ouvert le {say_day(issue.created_at)})"


def _isoformat(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
