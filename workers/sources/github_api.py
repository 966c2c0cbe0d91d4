"""GitHub's REST API as our sources read it: politely, a few calls at once, and nothing unchanged twice.

An answer comes with an ETag; asked again with it, GitHub answers "not modified" and does not count the call. A limit
that is reached, or is about to be, holds back every call that it covers until it ends.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

import httpx
from pydantic import TypeAdapter

from shared.errors import SourceError, SourceNotConfigured, SourceRejected, SourceUnavailable
from shared.findings import Collected, Finding
from shared.french import format_hour
from shared.untrusted_text import clean_line
from workers import outbound
from workers.outbound.rate_limit import EVERYTHING, UNKNOWN_WAIT, RateLimitHold
from workers.ports import Clock, Platform, Subject
from workers.settings import GithubSettings
from workers.sources.gaps import SourceTimedOut, describe_gap, label_of

_PARALLEL: Final = 40  # enough for one report on all platforms: no call waits for another
_KEPT_BYTES: Final = 8 * 1024 * 1024  # of all answers; a page of fifty issues has a quarter of a megabyte
_KEPT_BODY_BYTES: Final = 512 * 1024
# One call that hangs is named before the source's own deadline (20 s). Up to five follow one another (a release, then
# a busy repository's counts): where each of them takes nearly this long, the source's deadline ends them.
_CALL_DEADLINE: Final = timedelta(seconds=6)
_REPOSITORY: Final = re.compile(
    r"(?:(?:https?://|git@)?(?:www\.)?github\.com[/:])?"
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._-]{1,100}?)(?:\.git)?(?:[/?#].*)?"
)

# The address excludes "<", so that a long row of them is not scanned to its end from each one.
_LINK: Final = re.compile(r'<([^<>]*)>;\s*rel="(\w+)"')

_T = TypeVar("_T")


class Paging(NamedTuple):
    """What an answer states about the pages around it."""

    next_cursor: str | None = None
    has_next: bool = False
    last_page: int | None = None


class Repository(NamedTuple):
    """The repository of a managed platform."""

    path: str
    """Owner and name: ``owner/name``."""
    label: str
    """French provenance label of what is read there."""
    platform_key: str


class _Kept(NamedTuple):
    """An answer's body, which takes less memory than its values, with the entity tag that shows if it still holds."""

    body: bytes
    paging: Paging
    tag: str


class GithubApi:
    """Reads GitHub for every source that needs it.

    Concurrency: at most 40 calls at once; the answers kept for reuse are bounded in size.
    Source: GitHub REST v3.
    """

    def __init__(self, http: httpx.AsyncClient, settings: GithubSettings, *, clock: Clock) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._places = asyncio.Semaphore(_PARALLEL)
        self._hold = RateLimitHold(clock)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._kept_bytes = 0

    async def collect(
        self, source: str, subject: Subject, read: Callable[[Repository], Awaitable[Finding]]
    ) -> Collected:
        """Ask ``read`` about each platform's repository at the same time: a finding, or a gap, for each.

        Cost: nothing without a token: anonymous calls see no private repository and are counted against the
        machine's address. Raises: SourceNotConfigured.
        """
        if self._settings.token is None:
            raise SourceNotConfigured(
                "GITHUB_TOKEN is not set",
                sentence="GitHub n'est pas configuré : le jeton GITHUB_TOKEN manque. "
                "Renseignez-le pour inclure ces données.",
            )

        async def ask(platform: Platform) -> Collected:
            label = f"{label_of(source)} · {clean_line(platform.name)}"
            try:
                repository = Repository(_parse_repository(platform.github_url), label, platform.key)
                return Collected(findings=(await read(repository),))
            except SourceError as error:
                return Collected(gaps=(describe_gap(error, source=source, label=label),))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(platform)) for platform in subject.platforms]
        return sum((task.result() for task in tasks), Collected())

    async def read(
        self,
        shape: TypeAdapter[_T],
        path: str,
        params: Mapping[str, str],
        *,
        instead: Mapping[int, _T] | None = None,
        refused: str | None = None,
    ) -> _T:
        """Read one thing. ``instead``: statuses that are answers too; ``refused``: the sentence for a 403 or 404.

        Raises: SourceUnavailable (worth retrying), SourceRejected.
        """
        value, _ = await self.read_page(shape, path, params, instead=instead, refused=refused)
        return value

    async def read_page(
        self,
        shape: TypeAdapter[_T],
        path: str,
        params: Mapping[str, str],
        *,
        instead: Mapping[int, _T] | None = None,
        refused: str | None = None,
    ) -> tuple[_T, Paging]:
        """Read a page, and what it states about the others. Raises: as ``read``."""
        key = str(httpx.URL(path, params=dict(params)))
        kept = self._kept.get(key)
        async with self._places:
            response = await self._call(path, params, kept.tag if kept else None)
        if instead is not None and response.status in instead:
            return instead[response.status], Paging()
        paging = _read_paging(response)
        if response.status == httpx.codes.NOT_MODIFIED and kept is not None:
            response.status, response.body, paging = httpx.codes.OK, kept.body, kept.paging
        if response.status != httpx.codes.OK:
            raise self._refuse(path, response, refused)
        value = _parse(shape, response)
        tag = response.headers.get("etag") or (kept.tag if kept else None)
        if tag is not None and len(response.body) <= _KEPT_BODY_BYTES:
            self._keep(key, _Kept(response.body, paging, tag))
        return value, paging

    async def _call(self, path: str, params: Mapping[str, str], tag: str | None) -> outbound.Response:
        end = self._hold.find_end(_resource(path))
        if end is not None:
            raise _limited(end)
        assert self._settings.token is not None
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {self._settings.token.get_secret_value()}",
            "x-github-api-version": "2022-11-28",
        }
        if tag is not None:
            headers["if-none-match"] = tag
        try:
            response = await outbound.get(
                self._http,
                f"{str(self._settings.base_url).rstrip('/')}{path}",
                within=_CALL_DEADLINE,
                clock=self._clock,
                params=params,
                headers=headers,
                follow_redirects=True,  # a renamed repository answers 301; httpx keeps the token to the host
            )
        except outbound.CallFailed as error:
            late = error.fault is outbound.Fault.TIMED_OUT
            raise (SourceTimedOut if late else SourceUnavailable)(
                str(error), sentence="GitHub ne répond pas. Relancez plus tard pour inclure ces données."
            ) from error
        if response.status < httpx.codes.BAD_REQUEST and response.headers.get("x-ratelimit-remaining") == "0":
            # That was the last call allowed: the next one would be refused, and count against us.
            self._hold.hold_until(_read_reset(response, self._clock.now()), _resource(path))
        return response

    def _keep(self, key: str, kept: _Kept) -> None:
        former = self._kept.pop(key, None)
        self._kept_bytes += len(kept.body) - (len(former.body) if former else 0)
        self._kept[key] = kept
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1].body)

    def _refuse(self, path: str, response: outbound.Response, refused: str | None) -> SourceError:
        covered, end = _read_limit(path, response, self._clock.now())
        if end is None:
            return _refusal(response.status, refused)
        return _limited(self._hold.hold_until(end, covered))


def _parse(shape: TypeAdapter[_T], response: outbound.Response) -> _T:
    sentence = "GitHub a rendu une réponse illisible ; l'équipe technique doit la vérifier."
    try:
        return response.parse(shape)
    except outbound.CallFailed as error:
        raise SourceUnavailable(f"GitHub: {error}", sentence=sentence) from error


def _read_paging(response: outbound.Response) -> Paging:
    """Read the links to other pages: only cursor and number, never their addresses, which are GitHub's text."""
    paging = Paging()
    for address, relation in _LINK.findall(response.headers.get("link", "")):
        try:
            query = httpx.URL(address).params
        except httpx.InvalidURL:
            continue
        if relation == "next":
            paging = paging._replace(has_next=True, next_cursor=query.get("after"))
        elif relation == "last" and query.get("page", "").isdecimal():
            paging = paging._replace(last_page=int(query["page"]))
    return paging


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


def _resource(path: str) -> str:
    """Name the limit that a call counts against: searches have their own."""
    return "search" if path.startswith("/search/") else "core"


def _read_limit(path: str, response: outbound.Response, now: datetime) -> tuple[str, datetime | None]:
    """Return what a limit covers and when it ends, if the response is about a limit.

    A plain 403 is a refusal; it is a limit when nothing remains, when it states a wait, or when its text says so.
    """
    if response.status not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return EVERYTHING, None
    wait = outbound.parse_retry_after(response.headers, now)
    if wait is not None:
        return EVERYTHING, now + wait
    if response.headers.get("x-ratelimit-remaining") == "0":
        return _resource(path), _read_reset(response, now)
    spoken = response.status == httpx.codes.TOO_MANY_REQUESTS or b"rate limit" in response.body.lower()
    return EVERYTHING, now + UNKNOWN_WAIT if spoken else None


def _read_reset(response: outbound.Response, now: datetime) -> datetime:
    try:
        reset = datetime.fromtimestamp(int(response.headers["x-ratelimit-reset"]), tz=UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return now + UNKNOWN_WAIT
    return min(max(reset, now), now + outbound.RETRY_AFTER_CAP)


def _limited(end: datetime) -> SourceUnavailable:
    sentence = f"GitHub limite nos appels. Ces données reviendront à {format_hour(end)} ; relancez ensuite."
    return SourceUnavailable(f"GitHub's limit holds until {end.isoformat()}", sentence=sentence)


def _refusal(status: int, refused: str | None) -> SourceError:
    message = f"GitHub answered {status}"
    match status:
        case 401:
            sentence = "GitHub refuse le jeton GITHUB_TOKEN : il est faux ou expiré. Renouvelez-le."
        case 403 | 404 | 451:
            sentence = refused or "Dépôt introuvable ou accès refusé : vérifiez son adresse et les droits du jeton."
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            sentence = "GitHub est en panne pour le moment. Relancez plus tard pour inclure ces données."
            return SourceUnavailable(message, sentence=sentence)
        case _:
            sentence = f"GitHub a refusé la lecture (code {status}) ; l'équipe technique doit la vérifier."
    return SourceRejected(message, sentence=sentence)
