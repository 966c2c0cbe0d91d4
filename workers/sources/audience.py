"""The visits of the public site, as its pages report them: anybody can send such events, and the text says so."""

from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from shared.facts import FactName, make_facts
from shared.findings import Collected, Finding, GapReason
from shared.french import format_count, format_number
from shared.frozen import FrozenModel
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.gaps import label_of, only_gap
from workers.sources.tables import read_table

_CAUTION: Final = (
    "Ces nombres viennent des pages elles-mêmes, sans contrôle : un visiteur peut les gonfler, et qui refuse les "
    "cookies n'y est pas."
)


class Route(FrozenModel):
    """How often one route was seen."""

    route: str
    views: int


class Audience(FrozenModel):
    """The visits of seven days, and of the seven before."""

    views: int
    views_before: int
    sessions: int
    cut: bool
    newest: AwareDatetime | None
    routes: tuple[Route, ...] = ()


_SHAPE: Final = TypeAdapter(Audience)


class AudienceSource:
    """Describes the visits of the public site by route.

    Shape: one Finding, or one Gap where there was no visit.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.AUDIENCE.value

    def __init__(self, *, allowed: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; the site is the company's, whatever the platform."""
        read = read_table(subject, SourceName.AUDIENCE, _SHAPE, allowed=self._allowed, setting="READ_AUDIENCE")
        if not read.views and not read.views_before:
            return only_gap(self.name, GapReason.EMPTY, "Aucune visite du site n'est enregistrée depuis 14 jours.")
        read_at = self._clock.now()
        values = {
            FactName.PAGE_VIEWS_WEEK: read.views,
            FactName.PAGE_VIEWS_WEEK_BEFORE: read.views_before,
            FactName.SESSIONS_WEEK: read.sessions,
        }
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(_describe(read)), SOURCE_TEXT_CHARS),
            data={"views": read.views, "views_before": read.views_before, "sessions": read.sessions, "cut": read.cut},
            # Of a flood, only the newest part was counted: no figure of it is one of ours.
            facts=() if read.cut else make_facts(values, source=self.name, at=read_at),
            period="7 derniers jours",
            read_at=read_at,
        )
        return Collected(findings=(finding,))


def _describe(read: Audience) -> list[str]:
    least = " au moins" if read.cut else ""
    views = format_count(read.views, "page vue", "pages vues")
    sessions = format_count(read.sessions, "session", "sessions")
    before = format_count(read.views_before, "page vue", "pages vues")
    return [
        f"7 derniers jours : {views}{least}, {sessions}{least} ; 7 jours précédents : {before}",
        _CAUTION,
        *(
            f"- {'autre' if line.route == 'other' else clean_line(line.route, 100)} : {format_number(line.views)}"
            for line in read.routes
        ),
    ]
