"""The commercial work and the business tables of the HQ: how many, in which state, for how much, since when."""

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from shared.facts import Fact, FactName, make_facts
from shared.findings import Collected, Finding, GapReason
from shared.french import format_count
from shared.frozen import FrozenModel
from shared.registry import SourceName
from shared.untrusted_text import shorten
from workers.ports import SOURCE_TEXT_CHARS, Clock, Subject
from workers.sources.gaps import label_of, only_gap
from workers.sources.tables import TableCount, describe_table, read_table

_OPEN_DEALS: Final = ("draft", "proposed", "in_negotiation", "accepted")
_OPEN_OPPORTUNITIES: Final = ("idea", "qualified", "blueprint_in_progress", "ready", "deal_proposed")
_OPEN_CALLS: Final = ("to_analyze", "relevant", "blueprint_in_progress", "response_in_preparation", "submitted")
_OPEN_STAGES: Final = ("lead", "qualified", "proposal", "negotiation")
_OPEN_TICKETS: Final = ("open", "in_progress", "waiting")

_WORDS: Final = {
    "accepted": "acceptées",
    "active": "actives",
    "advisory": "en accompagnement",
    "archived": "archivées",
    "backlog": "en réserve",
    "blueprint_in_progress": "étude en cours",
    "cancelled": "annulées",
    "closed": "closes",
    "closed_lost": "perdues",
    "closed_won": "gagnées",
    "completed": "terminées",
    "deal_proposed": "accord proposé",
    "deal_signed": "accord signé",
    "draft": "en brouillon",
    "idea": "idées",
    "in_negotiation": "en négociation",
    "in_progress": "en cours",
    "lead": "pistes",
    "lost": "perdues",
    "negotiation": "en négociation",
    "not_relevant": "écartées",
    "open": "ouvertes",
    "paused": "en pause",
    "pending_approval": "en attente d'approbation",
    "planned": "planifiées",
    "proposal": "proposition faite",
    "proposed": "proposées",
    "qualified": "qualifiées",
    "ready": "prêtes",
    "recycle": "à reprendre plus tard",
    "rejected": "refusées",
    "relevant": "pertinentes",
    "resolved": "résolues",
    "response_in_preparation": "réponse en préparation",
    "signed": "signées",
    "submitted": "déposées",
    "to_analyze": "à analyser",
    "waiting": "en attente",
    "won": "gagnées",
}


class Commercial(FrozenModel):
    """What the HQ's commercial and business tables hold; None: the host has no such table."""

    deals: TableCount | None = None
    opportunities: TableCount | None = None
    calls: TableCount | None = None
    pipeline: TableCount | None = None
    campaigns: TableCount | None = None
    tickets: TableCount | None = None
    initiatives: TableCount | None = None


_SHAPE: Final = TypeAdapter(Commercial)
# Of each table: its French name, and its sums.
_TABLES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "deals": ("Accords (studio)", {"cash_component": "part en numéraire", "success_fee": "honoraires de succès"}),
    "opportunities": ("Opportunités (studio)", {}),
    "calls": ("Appels à projets (studio)", {}),
    "pipeline": ("Affaires en portefeuille", {"value": "valeur"}),
    "campaigns": ("Campagnes marketing", {"budget": "budget"}),
    "tickets": ("Demandes d'assistance", {}),
    "initiatives": ("Initiatives produit", {}),
}


class CommercialSource:
    """Describes deals, opportunities, calls for projects, and the business tables where they hold rows.

    Shape: one Finding, or one Gap where nothing is recorded.   Cost: none; it comes with the run.
    """

    name: Final[str] = SourceName.COMMERCIAL.value

    def __init__(self, *, allowed: bool, clock: Clock) -> None:
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        read = read_table(subject, SourceName.COMMERCIAL, _SHAPE, allowed=self._allowed, setting="READ_COMMERCIAL")
        tables = {name: table for name in _TABLES if (table := getattr(read, name)) is not None}
        if not any(table.rows or table.unreadable for table in tables.values()):
            sentence = "Aucun accord, aucune opportunité et aucune ligne métier ne sont enregistrés dans la base du QG."
            return only_gap(self.name, GapReason.EMPTY, sentence)
        read_at = self._clock.now()
        lines = [line for name, table in tables.items() for line in describe_table(table, *_TABLES[name], words=_WORDS)]
        if read.calls is not None and read.calls.due_30d is not None:
            lines.append(_describe_deadlines(read.calls))
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data={name: table.rows for name, table in tables.items()},
            facts=_count_states(read, subject.platform_key, read_at),
            read_at=read_at,
        )
        return Collected(findings=(finding,))


def _describe_deadlines(calls: TableCount) -> str:
    due = format_count(calls.due_30d or 0, "appel à projets ouvert échoit", "appels à projets ouverts échoient")
    following = f", le prochain le {calls.next_deadline:%d/%m/%Y}" if calls.next_deadline else ""
    return f"Échéances : {due} dans les 30 jours{following}"


def _count_states(read: Commercial, platform_key: str | None, at: datetime) -> tuple[Fact, ...]:
    """Count what is open, of the tables that could be read; those that know platforms are about the one asked for."""
    company = {
        FactName.OPEN_DEALS: _count(read.deals, *_OPEN_DEALS),
        FactName.SIGNED_DEALS: _count(read.deals, "signed"),
        FactName.OPEN_OPPORTUNITIES: _count(read.opportunities, *_OPEN_OPPORTUNITIES),
        FactName.OPEN_CALLS: _count(read.calls, *_OPEN_CALLS),
        FactName.CALLS_DUE: None if read.calls is None else read.calls.due_30d,
    }
    ours = {
        FactName.OPEN_SALES: _count(read.pipeline, *_OPEN_STAGES),
        FactName.ACTIVE_CAMPAIGNS: _count(read.campaigns, "active"),
        FactName.OPEN_TICKETS: _count(read.tickets, *_OPEN_TICKETS),
    }
    source = SourceName.COMMERCIAL.value
    return make_facts(company, source=source, at=at) + make_facts(ours, source=source, at=at, subject=platform_key)


def _count(table: TableCount | None, *words: str) -> int | None:
    """Count the rows in some states; None where that is not known, or not all of it."""
    return None if table is None or not table.rows or table.cut or table.unreadable else table.count(*words)
