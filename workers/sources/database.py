"""What the HQ database knows about itself: who may access its tables, how runs went, what is waiting for a person.

Read through functions of ours that the backend calls.
"""

import asyncio
import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.errors import SourceNotConfigured
from shared.facts import Fact, FactName, age_in_days, make_facts
from shared.findings import Collected, Finding, GapReason
from shared.french import format_count, format_moment, format_money, format_number
from shared.registry import RUN_TYPES, SourceName
from shared.registry import label_of as label_of_run_type
from shared.untrusted_text import clean_line, format_list, shorten
from workers.ports import (
    SOURCE_TEXT_CHARS,
    CatalogueCounts,
    CatalogueEntry,
    Clock,
    HistoryTotals,
    HqReader,
    MatterCounts,
    OpenMatter,
    Subject,
    TypeHistory,
)
from workers.sources.gaps import label_of, only_gap

_HISTORY_DAYS: Final = 30
_MOST_PARTS: Final = 6
_LEVELS: Final = {"low": "faible", "medium": "moyen", "high": "élevé", "critical": "critique"}
_STATES: Final = {"open": "ouvert", "investigating": "en cours d'analyse"}


class CatalogueSource:
    """Reads which tables, policies and open functions there are: names only, because a model reads them.

    Shape: as many Findings as the catalogue needs, six at most, the most exposed first; the rest is counted.
    Cost: two database calls.
    """

    name: Final[str] = SourceName.DATABASE_CATALOGUE.value

    def __init__(self, reader: HqReader, *, allowed: bool, clock: Clock) -> None:
        self._reader = reader
        self._allowed = allowed
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        del subject  # the catalogue is that of the HQ, whatever the platform
        if not self._allowed:
            sentence = "Le catalogue n'est pas transmis au modèle : AUDIT_CATALOGUE l'interdit."
            raise SourceNotConfigured("AUDIT_CATALOGUE forbids it", sentence=sentence)
        counts, entries = await asyncio.gather(self._reader.count_catalogue(), self._reader.read_catalogue())
        parts = _describe_catalogue(counts, entries)
        data, read_at = counts.model_dump(), self._clock.now()
        values = {
            FactName.TABLES: counts.tables,
            FactName.TABLES_WITHOUT_RLS: counts.without_row_security,
            FactName.TABLES_WITHOUT_POLICY: counts.without_policy,
            FactName.FUNCTIONS_OPEN_TO_ANON: counts.functions_open_to_anon,
        }
        facts = make_facts(values, source=self.name, at=read_at)
        return Collected(
            findings=tuple(
                Finding(
                    source=self.name,
                    label=f"{label_of(self.name)} ({number}/{len(parts)})",
                    text=part,
                    data=data,
                    facts=facts if number == 1 else (),  # its first line states them
                    read_at=read_at,
                )
                for number, part in enumerate(parts, start=1)
            )
        )


class RunHistorySource:
    """Reads how the runs of the last thirty days went, by type.

    Shape: one Finding.   Cost: two database calls.
    """

    name: Final[str] = SourceName.RUN_HISTORY.value

    def __init__(self, reader: HqReader, *, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        del subject  # agents work for all platforms
        totals, history = await asyncio.gather(
            self._reader.sum_run_history(_HISTORY_DAYS), self._reader.read_run_history(_HISTORY_DAYS)
        )
        if not history:
            return only_gap(self.name, GapReason.EMPTY, "Aucune exécution n'est enregistrée sur la période.")
        succeeded = format_count(totals.completed, "réussie", "réussies")
        ends = f"{succeeded}, {totals.failed} en échec, coût {_format_cost(totals.cost_eur)}"
        past = f"{totals.runs_before} sur la période précédente"
        lines = [
            f"{_HISTORY_DAYS} derniers jours : {_count_runs(totals.runs)} ({past}), {ends}",
            *_cut_note(totals.run_types - len(history), "autre type", "autres types", ", moins fréquents"),
            *map(_describe_history, history),
        ]
        read_at = self._clock.now()
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            facts=make_facts(_count_history(totals), source=self.name, at=read_at, currency="EUR"),
            data={
                "days": _HISTORY_DAYS,
                "runs": totals.runs,
                "runs_before": totals.runs_before,
                "completed": totals.completed,
                "failed": totals.failed,
                "cost_eur": float(totals.cost_eur),
            },
            read_at=read_at,
        )
        return Collected(findings=(finding,))


class OpenMattersSource:
    """Reads what is waiting for a person: approvals, incidents, failures of the day.

    Shape: one Finding, even when nothing is waiting: that is a fact too.   Cost: two database calls.
    """

    name: Final[str] = SourceName.OPEN_MATTERS.value

    def __init__(self, reader: HqReader, *, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    async def collect(self, subject: Subject) -> Collected:
        """Read what the source knows about the subject."""
        counts, matters = await asyncio.gather(
            self._reader.count_open_matters(subject.platform_key), self._reader.read_open_matters(subject.platform_key)
        )
        data = counts.model_dump()
        lines = []
        for kind, (title, describe) in _MATTERS.items():
            shown = [describe(matter) for matter in matters if matter.kind == kind]
            total = data[f"{kind}s"]
            lines += format_list(f"{title} ({total})", shown)
            lines += _cut_note(total - len(shown), "autre", "autres", "")
        read_at = self._clock.now()
        finding = Finding(
            source=self.name,
            label=label_of(self.name),
            text=shorten("\n".join(lines), SOURCE_TEXT_CHARS),
            data=data,
            facts=self._make_facts(subject, counts, matters, read_at),
            platform_key=subject.platform_key,
            read_at=read_at,
        )
        return Collected(findings=(finding,))

    def _make_facts(
        self, subject: Subject, counts: MatterCounts, matters: Sequence[OpenMatter], now: datetime
    ) -> tuple[Fact, ...]:
        values: dict[FactName, int | None] = {
            FactName.PENDING_ACTIONS: counts.actions,
            FactName.OPEN_INCIDENTS: counts.incidents,
            FactName.FAILED_RUNS_DAY: counts.failures,
        }
        actions = [matter for matter in matters if matter.kind == "action"]
        incidents = [matter for matter in matters if matter.kind == "incident"]
        # The lists begin with the oldest.
        values[FactName.OLDEST_ACTION_AGE] = _find_oldest(actions, now)
        values[FactName.OLDEST_INCIDENT_AGE] = _find_oldest(incidents, now)
        facts = make_facts(values, source=self.name, at=now, subject=subject.platform_key)
        if subject.platform_key is not None or len(incidents) != counts.incidents:
            return facts  # of a list that is cut off, nobody knows how many belong to a platform
        held = Counter(matter.platform_key for matter in incidents)
        return facts + tuple(
            fact
            for platform in subject.platforms
            for fact in make_facts(
                {FactName.OPEN_INCIDENTS: held[platform.key]}, source=self.name, at=now, subject=platform.key
            )
        )


def _count_history(totals: HistoryTotals) -> dict[FactName, Decimal | int | None]:
    ended = totals.completed + totals.failed
    return {
        FactName.RUNS: totals.runs,
        FactName.RUNS_BEFORE: totals.runs_before,
        FactName.RUNS_COMPLETED: totals.completed,
        FactName.RUNS_FAILED: totals.failed,
        FactName.RUN_SUCCESS_RATE: round(Decimal(100 * totals.completed) / ended, 2) if ended else None,
        FactName.AI_COST: totals.cost_eur,
    }


def _find_oldest(matters: Sequence[OpenMatter], now: datetime) -> int | None:
    return age_in_days(min((matter.since for matter in matters), default=None), now)


def _describe_catalogue(counts: CatalogueCounts, entries: Sequence[CatalogueEntry]) -> list[str]:
    """Describe a catalogue in at most as many parts as a prompt takes: as many tables as fit, the others counted."""
    tables = sorted((entry for entry in entries if entry.kind == "table"), key=_exposure, reverse=True)
    described = [_describe_table(table) for table in tables]
    exposed = format_count(counts.functions_open_to_anon, "fonction appelable", "fonctions appelables")
    head = f"{format_count(counts.tables, 'table', 'tables')}, dont {counts.without_row_security} sans RLS ; {exposed}"
    functions = [f"{entry.schema_name}.{entry.object_name}" for entry in entries if entry.kind == "function"]
    callable_by_anon = _describe_functions(functions, counts.functions_open_to_anon)

    def parts(shown: int) -> list[str]:
        cut = _cut_note(counts.tables - shown, "autre table", "autres tables", ", moins exposées")
        return list(_split([f"{head} sans connexion (anon)", *described[:shown], *cut, callable_by_anon]))

    shown = bisect.bisect_right(range(len(described)), _MOST_PARTS, key=lambda index: len(parts(index + 1)))
    return parts(shown)


def _describe_functions(names: Sequence[str], total: int) -> str:
    """Name as many functions as fit on one line, and count the others."""
    title = "Fonctions appelables par anon : "
    listed: list[str] = []
    room = SOURCE_TEXT_CHARS // 2
    for name in map(clean_line, names):
        room -= len(name) + 2
        if room < 0:
            break
        listed.append(name)
    rest = total - len(listed)
    more = f" et {format_count(rest, 'autre', 'autres')}" if rest > 0 else ""
    return f"{title}{', '.join(listed) or 'aucune'}{more}"


def _cut_note(rest: int, one: str, many: str, which: str) -> list[str]:
    """Return the line that says how many entries a list leaves out, if any."""
    return [f"- et {format_count(rest, one, many)}{which}, qui ne figurent pas dans cette liste"] if rest > 0 else []


def _exposure(table: CatalogueEntry) -> tuple[bool, bool, int]:
    """Rank by what an untrusted caller could access."""
    return not table.row_security, bool(table.open_to), not table.policies


def _describe_table(table: CatalogueEntry) -> str:
    policies = ", ".join(clean_line(policy, 100) for policy in table.policies or ()) or "aucune"
    return (
        f"- {clean_line(f'{table.schema_name}.{table.object_name}', 120)} : "
        f"RLS {'active' if table.row_security else 'INACTIVE'} ; politiques : {shorten(policies, 400)} ; "
        f"droits accordés à : {', '.join(table.open_to) or 'personne'}"
    )


def _describe_history(line: TypeHistory) -> str:
    entry = RUN_TYPES.get(line.run_type)
    agent = entry.agent.name if entry else "agent inconnu"
    succeeded = format_count(line.completed, "réussie", "réussies")
    cancelled = format_count(line.cancelled, "annulée", "annulées")
    took = ""
    if line.mean_ms is not None and line.longest_ms is not None:
        mean, longest = (format_number(ms / 1000, 1) for ms in (line.mean_ms, line.longest_ms))
        took = f"durée moyenne {mean} s, la plus longue {longest} s"
    parts = [
        f"- {clean_line(label_of_run_type(line.run_type), 80)} ({agent}) : {_count_runs(line.runs)}",
        f"période précédente : {line.runs_before}",
        f"{succeeded}, {line.failed} en échec, {cancelled}",
        took,
        f"échec le plus fréquent : {clean_line(line.usual_error, 60)}" if line.usual_error else "",
        f"coût {_format_cost(line.cost_eur)}",
    ]
    return " ; ".join(filter(None, parts))


def _describe_action(matter: OpenMatter) -> str:
    level = _LEVELS.get(matter.level or "", clean_line(matter.level or "inconnu", 20))
    return f"{clean_line(matter.title)} (risque {level}), depuis le {format_moment(matter.since)}"


def _describe_incident(matter: OpenMatter) -> str:
    level = _LEVELS.get(matter.level or "", clean_line(matter.level or "inconnue", 20))
    state = _STATES.get(matter.detail or "", clean_line(matter.detail or "?", 30))
    platform = clean_line(matter.platform_key or "?", 60)
    return (
        f"[{platform}] {clean_line(matter.title)} : gravité {level}, {state}, depuis le {format_moment(matter.since)}"
    )


def _describe_failure(matter: OpenMatter) -> str:
    platform = f" [{clean_line(matter.platform_key, 60)}]" if matter.platform_key else ""
    return f"{clean_line(matter.title)}{platform}, {format_moment(matter.since)} : {clean_line(matter.detail or '?')}"


_MATTERS: Final = {
    "action": ("Actions en attente d'approbation", _describe_action),
    "incident": ("Incidents en cours", _describe_incident),
    "failure": ("Exécutions en échec depuis 24 h", _describe_failure),
}


def _split(lines: Iterable[str]) -> Iterable[str]:
    """Join lines into as few texts as one finding may each hold."""
    part = ""
    for line in lines:
        bounded = shorten(line, SOURCE_TEXT_CHARS)
        if part and len(part) + 1 + len(bounded) > SOURCE_TEXT_CHARS:
            yield part
            part = bounded
        else:
            part = f"{part}\n{bounded}" if part else bounded
    yield part


def _count_runs(number: int) -> str:
    return format_count(number, "exécution", "exécutions")


def _format_cost(amount: Decimal) -> str:
    """Format a cost of the model, whose calls cost less than a cent."""
    return format_money(amount, "EUR", 4)
