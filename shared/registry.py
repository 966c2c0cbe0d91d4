"""Every run type by its key: the table on which workers, database, HTTP API and frontend agree.

This is the registry's entry point. The entries are in ``shared/run_types``, one module per director; the prompt that
is rendered from an entry is in ``shared/prompts``.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeVar

from pydantic import JsonValue

from shared.errors import UnknownRunType
from shared.prompts.system import DATA_TAG, MISSING_DATA_SECTION, SOURCES_SECTION, render_system_prompt
from shared.run_types import ENTRIES
from shared.run_types.model import (
    KEY_PATTERN,
    TIME_ZONE,
    WORKING_DAYS,
    Agent,
    Calendar,
    Job,
    ModelTier,
    PageSet,
    Priority,
    Recency,
    Risk,
    RunType,
    Schedule,
    Search,
    Section,
    SourceName,
    Trigger,
    Weekday,
)

__all__ = [
    "DATA_TAG",
    "JOBS",
    "KEY_PATTERN",
    "MISSING_DATA_SECTION",
    "REGISTRY_VERSION",
    "RUN_TYPES",
    "SOURCES_SECTION",
    "TIME_ZONE",
    "UNKNOWN_COST_EUR",
    "WORKING_DAYS",
    "Agent",
    "Calendar",
    "Job",
    "ModelTier",
    "PageSet",
    "Priority",
    "Recency",
    "Risk",
    "RunType",
    "Schedule",
    "Search",
    "Section",
    "SourceName",
    "Trigger",
    "Weekday",
    "find_run_type",
    "label_of",
    "registry_facts",
    "render_system_prompt",
]

UNKNOWN_COST_EUR: Final = Decimal("0.05")
"""What a run of an unknown type counts as in every sum: old rows may hold keys that are no longer known."""

_T = TypeVar("_T")


def _index(pairs: Iterable[tuple[str, _T]]) -> Mapping[str, _T]:
    """Build a read-only table that refuses a key given twice."""
    table: dict[str, _T] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the registry holds {key!r} twice")
        table[key] = value
    return MappingProxyType(table)


RUN_TYPES: Final = _index((entry.key, entry) for entry in ENTRIES)
"""Every run type by its key. Only these keys exist: the table inherits nothing."""

JOBS: Final = _index(
    (entry.schedule.key, Job(run_type=entry.key, **dict(entry.schedule))) for entry in ENTRIES if entry.schedule
)
"""Every scheduled job by its own key, without the aliases."""


def find_run_type(key: str) -> RunType:
    """Return the run type of exactly this key.

    Raises: UnknownRunType.
    """
    try:
        return RUN_TYPES[key]
    except KeyError:
        raise UnknownRunType.named(key) from None


def label_of(key: str) -> str:
    """Return the French name of a run type; an unknown key is shown with spaces."""
    entry = RUN_TYPES.get(key)
    return entry.label if entry else key.replace("_", " ")


def registry_facts() -> dict[str, JsonValue]:
    """Return the whole registry as JSON values."""
    return {
        "time_zone": TIME_ZONE.key,
        "unknown_cost_eur": str(UNKNOWN_COST_EUR),
        "run_types": {key: entry.facts() for key, entry in RUN_TYPES.items()},
    }


def _fingerprint(facts: JsonValue) -> str:
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


REGISTRY_VERSION: Final = _fingerprint(registry_facts())
"""A fingerprint of ``registry_facts()``: every field of every entry, whatever the order of keys or the layout of files.

A database that holds another version holds another registry. The system prompt's own text is not part of it.
"""
