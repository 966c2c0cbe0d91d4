"""Web pages that a report reads: competitors', our own sites, those of a technology watch.

Which pages is a setting; nothing that was read, and nothing a caller wrote, ever decides what is fetched next.
"""

import asyncio
from datetime import datetime, timedelta
from typing import ClassVar, Final

import httpx
from pydantic import AwareDatetime, HttpUrl, JsonValue, OnErrorOmit, TypeAdapter

from shared.errors import SourceError, SourceNotConfigured, SourceRejected
from shared.findings import Collected, Finding
from shared.french import format_moment
from shared.registry import PageSet, SourceName
from shared.untrusted_text import clean_line, clean_text
from workers.outbound.shapes import Count, ForeignModel
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.settings import FirecrawlSettings
from workers.sources.gaps import describe_gap
from workers.sources.vendor import Vendor

_DEADLINE: Final = timedelta(seconds=19)
_PATIENCE_MS: Final = 15_000  # how long Firecrawl itself waits for the page
_OLDEST_COPY: Final = timedelta(hours=1)  # unless told otherwise, Firecrawl answers with copies up to two days old
_MAX_BYTES: Final = 2 * 1024 * 1024
_MOST_PAGES: Final = 8
_MAX_CREDITS: Final = 1_000
_VARIABLES: Final = {
    PageSet.COMPETITORS: "COMPETITOR_PAGES",
    PageSet.OWN_SITES: "OWN_SITES",
    PageSet.TECH_WATCH: "TECH_WATCH_PAGES",
}


class _Metadata(ForeignModel):
    title: str | list[OnErrorOmit[str]] | None = None
    description: str | list[OnErrorOmit[str]] | None = None
    statusCode: Count | None = None  # noqa: N815 - as Firecrawl spells it
    creditsUsed: float | None = None  # noqa: N815 - as Firecrawl spells it
    cacheState: str | None = None  # noqa: N815 - as Firecrawl spells it
    cachedAt: AwareDatetime | None = None  # noqa: N815 - as Firecrawl spells it


class _Page(ForeignModel):
    text_chars: ClassVar[int] = _MAX_BYTES  # cut to what a prompt holds before anything else is awaited

    markdown: str | None = None
    metadata: _Metadata = _Metadata()


class _Answer(ForeignModel):
    success: bool = True
    data: _Page


_ANSWER: Final = TypeAdapter(_Answer)


class FirecrawlSource:
    """Reads the pages that the run type wants, as Markdown.

    Shape: one Finding per page, or one Gap.   Cost: one request and about one credit per page, eight pages at most.
    Source: Firecrawl's /scrape, v1 and v2 alike.
    """

    name: Final[str] = SourceName.FIRECRAWL.value

    def __init__(self, http: httpx.AsyncClient, settings: FirecrawlSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._vendor = Vendor(
            http,
            name="Firecrawl",
            base_url=settings.base_url,
            key=settings.key,
            variable="FIRECRAWL_API_KEY",
            clock=clock,
        )
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        if subject.run_type.pages is None:
            return Collected()
        self._vendor.require_key()
        pages = self._choose(subject.run_type.pages, subject)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(page)) for page in pages]
        return sum((task.result() for task in tasks), Collected())

    def _choose(self, wanted: PageSet, subject: Subject) -> list[HttpUrl]:
        sites = self._settings.own_sites
        known = {
            PageSet.COMPETITORS: self._settings.competitors,
            PageSet.TECH_WATCH: self._settings.tech_watch,
            PageSet.OWN_SITES: tuple(sites[platform.key] for platform in subject.platforms if platform.key in sites),
        }
        pages = list(dict.fromkeys(known[wanted]))[:_MOST_PAGES]
        if not pages:
            raise SourceNotConfigured(
                f"{_VARIABLES[wanted]} names no page",
                sentence=f"Aucune page à lire n'est renseignée : complétez {_VARIABLES[wanted]} "
                "pour inclure ces données.",
            )
        return pages

    async def _read(self, page: HttpUrl) -> Collected:
        label = f"Firecrawl · {clean_line(page.host or '?', 80)}"
        try:
            return Collected(findings=(await self._scrape(page, label),))
        except SourceError as error:
            return Collected(gaps=(describe_gap(error, source=self.name, label=label),))

    async def _scrape(self, page: HttpUrl, label: str) -> Finding:
        question: dict[str, JsonValue] = {
            "url": str(page),
            "formats": ["markdown"],
            "onlyMainContent": True,
            "timeout": _PATIENCE_MS,
            "maxAge": round(_OLDEST_COPY / timedelta(milliseconds=1)),
        }
        reply = await self._vendor.post("/scrape", question, within=_DEADLINE, max_bytes=_MAX_BYTES)
        answer = self._vendor.parse(_ANSWER, reply)
        metadata = answer.data.metadata
        status = metadata.statusCode or httpx.codes.OK
        markdown = answer.data.markdown or ""
        if not answer.success or status >= httpx.codes.BAD_REQUEST or not markdown.strip():
            sentence = f"La page {clean_line(str(page), 120)} n'a rien rendu de lisible (code {status}) ; vérifiez-la."
            raise SourceRejected(f"a page answered {status} through Firecrawl", sentence=sentence)
        now = self._clock.now()
        read_at = _find_age(metadata, now)
        head = (
            f"Titre : {_first(metadata.title) or 'aucun'}\nDescription : {_first(metadata.description) or 'aucune'}\n"
        )
        if read_at < now:
            head += f"Copie gardée par Firecrawl depuis le {format_moment(read_at)}\n"
        return Finding(
            source=self.name,
            label=label,
            text=head + clean_text(markdown, SOURCE_TEXT_CHARS - len(head)),
            data={
                "status": status,
                "title": _first(metadata.title),
                "markdown_chars": len(markdown),
                "credits": min(metadata.creditsUsed or 1, _MAX_CREDITS),
            },
            url=str(page),
            read_at=read_at,
        )


def _find_age(metadata: _Metadata, now: datetime) -> datetime:
    """Return when the page was really read; a copy that does not state its age counts as the oldest allowed."""
    if metadata.cacheState == "hit" or metadata.cachedAt is not None:
        return min(metadata.cachedAt or now - _OLDEST_COPY, now)
    return now


def _first(value: str | list[str] | None) -> str | None:
    """Read a field that a page may give several times."""
    text = next(iter(value), None) if isinstance(value, list) else value
    return clean_line(text) if text else None
