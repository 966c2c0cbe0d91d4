"""What was gathered → the grounds of a report: numbered sources, bounded to what a prompt may hold. Pure.

The last numbers are ours: what changed since earlier reports, and the « Calculs du QG ».

A source's text is cut here and nowhere else, so that a report is held against exactly what the model was shown.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from shared.findings import Collected, Finding
from shared.registry import RunType, Section, SourceName
from shared.untrusted_text import CUT_NOTE, TITLE_CHARS, clean_line, clean_text
from workers.executive_run.calculations import CALCULATIONS_LABEL, CALCULATIONS_SOURCE, Calculations, calculate
from workers.executive_run.changes import find_changes, render_changes
from workers.executive_run.memory import recall, render_memory
from workers.executive_run.verification.model import Grounds, NumberedSource
from workers.ports import Platform, ReportInputs

PROMPT_CHARS: Final = 60_000
"""The longest prompt: system message, question, and what a second question adds to them."""

AGAIN_CHARS: Final = 12_000
"""What a second question may add: the first answer, and what is wrong with it."""

FINDING_CHARS: Final = 6_000
CONTEXT_CHARS: Final = 8_000
GAPS_CHARS: Final = 5_000
MEMORY_CHARS: Final = 3_000
MOST_SOURCES: Final = 60

_SYSTEM_CHARS: Final = 6_000
_AROUND_CHARS: Final = 5_000  # moment, scope, conflicts, sections without data
_FENCE_CHARS: Final = 80
_CHANGES_LABEL: Final = "Évolutions mesurées par le QG"
_CHANGES_SOURCE: Final = "changes"


def ground(
    run_type: RunType,
    collected: Collected,
    *,
    platforms: Sequence[Platform],
    platform_key: str | None,
    inputs: ReportInputs,
    context: JsonValue,
    now: datetime,
) -> Grounds:
    """Number the sources, and bound all that the report may rest on.

    What is computed here is computed as of the moment at which the data were read: another attempt, which recalls the
    same data, finds the same.
    """
    findings = collected.findings[:MOST_SOURCES]
    read_at = max((finding.read_at for finding in findings), default=now)
    keys = [platform.key for platform in platforms]
    calculations = calculate(collected, platforms=platforms, now=read_at)
    changes = find_changes(collected.facts, inputs.earlier, platform_keys=keys, platform_key=platform_key)
    changed = render_changes(changes)
    memory = clean_text(render_memory(recall(run_type, inputs.past, collected, now=read_at)), MEMORY_CHARS)
    rendered = _render_context(context) if context else ""
    share = _share_room(
        _room_beside(collected, calculations.text, changed, memory, rendered),
        [len(finding.text) for finding in findings],
    )
    sources = [_number(place, finding, share) for place, finding in enumerate(findings, start=1)]
    computed = _number_calculations(len(sources) + 1, calculations, read_at)
    if changed:
        number = len(sources) + 1 + (computed is not None)
        sources.append(
            NumberedSource(number=number, source=_CHANGES_SOURCE, label=_CHANGES_LABEL, text=changed, read_at=read_at)
        )
    return Grounds(
        run_type=run_type,
        platform_key=platform_key,
        platforms=tuple(platforms),
        sources=tuple(sources),
        calculations=computed,
        conflicts=calculations.conflicts,
        gaps=collected.gaps,
        context=rendered,
        memory=memory,
        now=now,
    )


def _room_beside(collected: Collected, *others: str) -> int:
    """Return what is left of a prompt for the texts of the sources, beside their fences and all the rest."""
    gaps = min(GAPS_CHARS, sum(len(gap.label) + len(gap.sentence) + 6 for gap in collected.gaps))
    fences = sum(
        _FENCE_CHARS + min(TITLE_CHARS, 60 + len(finding.label) + len(finding.url or ""))
        for finding in collected.findings[:MOST_SOURCES]
    )
    ours = sum(len(text) + _FENCE_CHARS + TITLE_CHARS for text in others)
    return PROMPT_CHARS - AGAIN_CHARS - _SYSTEM_CHARS - _AROUND_CHARS - gaps - fences - ours


def _render_context(context: JsonValue) -> str:
    return clean_text(json.dumps(context, ensure_ascii=False, indent=2, sort_keys=True), CONTEXT_CHARS)


def list_sources(grounds: Grounds) -> list[NumberedSource]:
    """Return all sources of a report by their numbers, the calculations included."""
    ours = [] if grounds.calculations is None else [grounds.calculations]
    return sorted([*grounds.sources, *ours], key=lambda source: source.number)


def find_sections_without_data(run_type: RunType, collected: Collected) -> tuple[Section, ...]:
    """Return the sections of findings on whose subject no source returned anything."""
    if not any(section.fed_by for section in run_type.sections):
        return ()
    read = {SourceName(finding.source) for finding in collected.findings}
    return tuple(section for section in run_type.sections if not section.proposes and read.isdisjoint(section.fed_by))


def _number(number: int, finding: Finding, max_chars: int) -> NumberedSource:
    return NumberedSource(
        number=number,
        source=finding.source,
        label=clean_line(finding.label),
        text=clean_text(finding.text, max_chars),
        facts=finding.facts,
        platform_key=finding.platform_key,
        read_at=finding.read_at,
        url=finding.url,
        period=finding.period,
    )


def _number_calculations(number: int, calculations: Calculations, read_at: datetime) -> NumberedSource | None:
    if not calculations.text:
        return None
    return NumberedSource(
        number=number,
        source=CALCULATIONS_SOURCE,
        label=CALCULATIONS_LABEL,
        text=calculations.text,
        facts=calculations.facts,
        read_at=read_at,
    )


def _share_room(room: int, lengths: Sequence[int]) -> int:
    """Return the most characters that each text may have so that all fit: what short ones leave goes to long ones."""
    for place, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - place)
        if length > share:
            return max(len(CUT_NOTE), min(FINDING_CHARS, share))
        room -= length
    return FINDING_CHARS
