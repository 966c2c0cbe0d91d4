"""What a report needs of the HQ's own database: which reads, and what their rows mean."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from shared.registry import RUN_TYPES, SourceName
from workers.ports import EarlierFact, PastReport, ReportInputs
from workers.settings import DatabaseSourceSettings

T = TypeVar("T")

log = structlog.get_logger(__name__)

Reads = Mapping[str, JsonValue]
"""The name of each read, with its options."""

PLATFORMS: Final = SourceName.PLATFORMS.value
_PAST: Final = "past"
_EARLIER: Final = "earlier"

_FACT = TypeAdapter(EarlierFact)
_REPORT = TypeAdapter(PastReport)


class InputRow(BaseModel):
    """What one read returned."""

    kind: str
    data: JsonValue
    error: str | None


def choose_reads(settings: DatabaseSourceSettings) -> Callable[[str], Reads]:
    """Return the function that names the reads of a run type: only what it needs, only what the settings allow."""
    options: dict[SourceName, tuple[bool, dict[str, JsonValue]]] = {
        SourceName.AGENTS_WORK: (settings.agents_work, {}),
        SourceName.COMMERCIAL: (settings.commercial, {}),
        SourceName.AUDIENCE: (settings.audience, {"routes": list(settings.audience_routes)}),
        SourceName.CONTACTS: (settings.contacts, {}),
        SourceName.DECISIONS: (settings.decisions, {"titles": settings.decision_titles}),
        SourceName.PERSONAL_DATA: (settings.personal_data, {}),
    }

    def choose(run_type: str) -> Reads:
        entry = RUN_TYPES.get(run_type)
        if entry is None:
            return {}
        tables = {
            source.value: options[source][1] for source in entry.sources if source in options and options[source][0]
        }
        return {_PAST: {}, _EARLIER: {"sources": [source.value for source in entry.sources]}, **tables}

    return choose


def read_rows(rows: Iterable[InputRow]) -> ReportInputs:
    """Read what the reads returned; what failed, or has another shape, is absent and logged."""
    found = {row.kind: row.data for row in rows if _is_whole(row)}
    past, earlier = found.pop(_PAST, None), found.pop(_EARLIER, None)
    found.pop(PLATFORMS, None)
    facts = (_parse(_FACT, fact, _EARLIER) for fact in (earlier if isinstance(earlier, list) else []))
    return ReportInputs(
        past=None if past is None else _parse(_REPORT, past, _PAST),
        earlier=tuple(fact for fact in facts if fact is not None),
        tables=found,
    )


def _is_whole(row: InputRow) -> bool:
    if row.error is not None:
        log.warning("input.unreadable", kind=row.kind, sqlstate=row.error)
    return row.error is None


def _parse(shape: TypeAdapter[T], data: JsonValue, kind: str) -> T | None:
    try:
        return shape.validate_python(data)
    except ValidationError:
        log.warning("input.unreadable", kind=kind)
        return None
