"""What came with the run of the HQ's own tables: counts, sums, ages and dates, and never what a person typed."""

from collections.abc import Mapping
from datetime import date
from typing import TypeVar

import structlog
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from shared.errors import SourceNotConfigured, SourceUnavailable
from shared.french import format_count, format_day, format_number
from shared.frozen import FrozenModel
from shared.registry import SourceName
from workers.ports import Subject
from workers.sources.gaps import describe_unreadable, label_of

T = TypeVar("T")

log = structlog.get_logger(__name__)


class WordCount(FrozenModel):
    """The rows of a table in one of its states."""

    word: str
    rows: int
    sums: dict[str, float] = Field(default_factory=dict)
    oldest: AwareDatetime | None = None
    newest: AwareDatetime | None = None
    touched: AwareDatetime | None = None


class TableCount(FrozenModel):
    """The rows of a table by state; ``unreadable`` where the database refused."""

    rows: int = 0
    cut: bool = False
    by: tuple[WordCount, ...] = ()
    unreadable: str | None = None
    due_30d: int | None = None
    next_deadline: date | None = None

    def count(self, *words: str) -> int:
        """Count the rows in one of some states."""
        return sum(line.rows for line in self.by if line.word in words)


def read_table(subject: Subject, source: SourceName, shape: TypeAdapter[T], *, allowed: bool, setting: str) -> T:
    """Return what came with the run for a source.

    Raises: SourceNotConfigured where a setting forbids it or there is no such table; SourceUnavailable.
    """
    label = label_of(source)
    if not allowed:
        sentence = f"La source « {label} » n'est pas transmise au modèle : {setting} l'interdit."
        raise SourceNotConfigured(f"{setting} forbids it", sentence=sentence)
    if source.value not in subject.inputs.tables:
        raise _unreadable(label)
    data = subject.inputs.tables[source.value]
    if data is None:
        sentence = f"La source « {label} » n'existe pas dans cette base : sa table manque."
        raise SourceNotConfigured(f"no table for {source.value}", sentence=sentence)
    try:
        return shape.validate_python(data)
    except ValidationError as error:
        log.warning("table.unreadable", source=source.value, faults=error.error_count())
        raise _unreadable(label) from error


def describe_table(table: TableCount, name: str, sums: Mapping[str, str], *, words: Mapping[str, str]) -> list[str]:
    """Describe a table's rows by state, with their sums and dates: one line for the table, one for each state."""
    if table.unreadable:
        return [f"{name} : illisible dans la base du QG"]
    if not table.rows:
        return [f"{name} : aucune ligne enregistrée"]
    more = " au moins" if table.cut else ""
    lines = [f"{name} : {format_count(table.rows, 'ligne', 'lignes')}{more}"]
    for line in table.by:
        parts = [f"- {words.get(line.word, 'autre état')} : {line.rows}"]
        parts += [
            # The host notes no currency, so none is stated.
            f"{label} {_format_amount(line.sums[column])} (devise non enregistrée)"
            for column, label in sums.items()
            if column in line.sums
        ]
        if line.oldest is not None and line.newest is not None:
            parts.append(f"créées du {format_day(line.oldest)} au {format_day(line.newest)}")
        if line.touched is not None:
            parts.append(f"dernière modification le {format_day(line.touched)}")
        lines.append(" ; ".join(parts))
    return lines


def _format_amount(amount: float) -> str:
    return format_number(amount, 0 if amount == round(amount) else 2)


def _unreadable(label: str) -> SourceUnavailable:
    return SourceUnavailable(f"{label} is unreadable", sentence=describe_unreadable(label))
