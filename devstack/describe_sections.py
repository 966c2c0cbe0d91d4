"""Render `docs/report-data.md` from the registry: which sources feed which section of which report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.registry import RUN_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.registry import RunType, Section

SECTIONS_PAGE: Final = Path(__file__).parents[1] / "docs" / "report-data.md"

_HEAD: Final = """\
# What feeds each section of a report

Written by `make docs` from the registry (`shared/run_types`); do not edit it.
A test compares it with the registry and fails when it is stale.
Another fails when less than 60 % of a type's sections are fed.

A section is *fed* when a source that the report reads has data on its very subject.
A section marked *proposes* is fed when there are data on what it rests on.
A section without any is not written about: the model is asked for « Donnée non disponible ».
The report lists all such sections in one line.
What each source reads: [sources/](sources/).
"""


def render_sections() -> str:
    """Render the page."""
    return "\n".join([_HEAD, *_render_summary(), *(line for entry in RUN_TYPES.values() for line in _render(entry))])


def _render_summary() -> Iterator[str]:
    yield from ("## Sections without data", "", "| report | fed | sections without data |", "|---|---|---|")
    for entry in RUN_TYPES.values():
        fed = [section for section in entry.sections if section.fed_by]
        bare = ", ".join(section.title for section in entry.sections if not section.fed_by)
        yield f"| `{entry.key}` | {len(fed)} of {len(entry.sections)} | {bare or 'none'} |"
    yield ""


def _render(entry: RunType) -> Iterator[str]:
    yield from (f"## {entry.key}", "", "| section | fed by |", "|---|---|")
    for section in entry.sections:
        yield f"| {_title(section)} | {', '.join(f'`{source}`' for source in section.fed_by) or 'nothing'} |"
    yield ""


def _title(section: Section) -> str:
    return f"{section.title} *(proposes)*" if section.proposes else section.title
