"""What each of the HQ's agents did in thirty days: how often, how it ended, how long it took, what it cost."""

from decimal import Decimal
from typing import Final

from pydantic import TypeAdapter

from shared.findings import Collected, Finding, GapReason
from shared.french import format_count, format_money, format_number, format_percent
from shared.frozen import FrozenModel
from shared.registry import SourceName
from shared.untrusted_text import clean_line, shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.gaps import label_of, only_gap
from workers.sources.tables import read_table


class AgentWork(FrozenModel):
    """The runs of one agent; None: of types that the registry no longer has."""

    agent: str | None
    runs: int
    runs_before: int
    completed: int
    failed: int
    cancelled: int
    mean_ms: int | None
    cost_eur: Decimal


_SHAPE: Final = TypeAdapter(tuple[AgentWork, ...])


class AgentsWorkSource:
    """Describes the work of each agent, the busiest first.

    Shape: one Finding, or one Gap where there was none.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.AGENTS_WORK.value

    def __init__(self, *, allowed: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows; agents work for all platforms."""
        read = read_table(subject, SourceName.AGENTS_WORK, _SHAPE, allowed=self._allowed, setting="READ_AGENTS_WORK")
        if not read:
            return only_gap(self.name, GapReason.EMPTY, "Aucune exécution n'est enregistrée sur 60 jours.")
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(map(_describe, read)), SOURCE_TEXT_CHARS),
            data={"agents": len(read), "runs": sum(work.runs for work in read)},
            period="30 derniers jours",
            read_at=self._clock.now(),
        )
        return Collected(findings=(finding,))


def _describe(work: AgentWork) -> str:
    ended = work.completed + work.failed
    took = "" if work.mean_ms is None else f"durée moyenne {format_number(work.mean_ms / 1000, 1)} s"
    rate = f"réussite {format_percent(100 * work.completed / ended, 1)}" if ended else ""
    runs = format_count(work.runs, "exécution", "exécutions")
    completed = format_count(work.completed, "réussie", "réussies")
    cancelled = format_count(work.cancelled, "annulée", "annulées")
    parts = [
        f"- {clean_line(work.agent or 'agent inconnu', 80)} : {runs}",
        f"30 jours précédents : {format_number(work.runs_before)}",
        f"{completed}, {work.failed} en échec, {cancelled}",
        rate,
        took,
        f"coût {format_money(work.cost_eur, 'EUR', 4)}",
    ]
    return " ; ".join(filter(None, parts))
