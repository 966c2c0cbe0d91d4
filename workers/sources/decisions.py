"""What the presidency decided, as numbers; the titles of its journal only where a setting allows what people typed."""

from typing import Final

from pydantic import AwareDatetime, TypeAdapter

from shared.facts import FactName, make_facts
from shared.findings import Collected, Finding
from shared.french import format_count, format_day, format_number
from shared.frozen import FrozenModel
from shared.registry import SourceName
from shared.untrusted_text import clean_line, format_list, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.gaps import label_of
from workers.sources.tables import TableCount, describe_table, read_table

_STATES: Final = {
    "pending": "proposées, non tranchées",
    "approved": "approuvées",
    "rejected": "refusées",
    "executed": "exécutées",
    "cancelled": "annulées",
}
_ENTRIES: Final = {
    "decision": "décisions",
    "note": "notes",
    "milestone": "étapes",
    "reflection": "réflexions",
}


class Approvals(FrozenModel):
    """What was decided in thirty days."""

    approved: int
    rejected: int
    newest: AwareDatetime | None = None
    mean_days: float | None = None


class Title(FrozenModel):
    """An entry of the journal, as somebody called it."""

    title: str
    at: AwareDatetime


class Decisions(FrozenModel):
    """Actions by state, approvals, the journal by type of entry."""

    actions: TableCount = TableCount()
    oldest_pending: AwareDatetime | None = None
    approvals: Approvals | None = None
    journal: TableCount | None = None
    titles: tuple[Title, ...] = ()


_SHAPE: Final = TypeAdapter(Decisions)


class DecisionsSource:
    """Describes what was decided, what waits, and how fast.

    Shape: one Finding, also when nothing was decided: that is a fact too.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.DECISIONS.value

    def __init__(self, *, allowed: bool, with_titles: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._with_titles = with_titles
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; the presidency decides for all platforms."""
        read = read_table(subject, SourceName.DECISIONS, _SHAPE, allowed=self._allowed, setting="READ_DECISIONS")
        lines = describe_table(read.actions, "Actions proposées", {}, words=_STATES)
        if read.approvals is not None:
            lines.append(_describe_approvals(read.approvals))
        if read.journal is not None:
            lines += describe_table(read.journal, "Journal de la présidence", {}, words=_ENTRIES)
        if self._with_titles and read.titles:
            titles = [f"{format_day(entry.at)} : {clean_line(entry.title)}" for entry in read.titles]
            lines += format_list("Dernières décisions du journal", titles)
        read_at = self._clock.now()
        decided = read.approvals or Approvals(approved=0, rejected=0)
        values = {FactName.ACTIONS_APPROVED: decided.approved, FactName.ACTIONS_REJECTED: decided.rejected}
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={"actions": read.actions.rows, "journal": read.journal.rows if read.journal else None},
            facts=make_facts(values, source=self.name, at=read_at),
            read_at=read_at,
        )
        return Collected(findings=(finding,))


def _describe_approvals(read: Approvals) -> str:
    approved = format_count(read.approved, "action approuvée", "actions approuvées")
    parts = [f"Décisions des 30 derniers jours : {approved}, {format_count(read.rejected, 'refusée', 'refusées')}"]
    if read.mean_days is not None:
        parts.append(f"délai moyen de {format_number(read.mean_days, 1)} jours entre la proposition et la décision")
    if read.newest is not None:
        parts.append(f"la dernière le {format_day(read.newest)}")
    return " ; ".join(parts)
