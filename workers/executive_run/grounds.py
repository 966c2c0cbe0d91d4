"""What was collected → the grounds of a report: numbered sources, bounded to what a prompt may hold. Pure.

A source's text is cut here and nowhere else, so that a report is held against exactly what the model was shown.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from shared.findings import Collected, Finding
from shared.registry import RunType, Section, SourceName
from shared.untrusted_text import CUT_NOTE, clean_line, clean_text
from workers.executive_run.verification.model import Grounds, NumberedSource
from workers.ports import Platform

PROMPT_CHARS: Final = 60_000
"""The longest prompt: system message, question, and what a second question adds to them."""

AGAIN_CHARS: Final = 12_000
"""What a second question may add: the first answer, and what is wrong with it."""

FINDING_CHARS: Final = 6_000
OWN_CHARS: Final = 4_000
"""The most of each block that our code writes: calculations, changes."""
CONTEXT_CHARS: Final = 8_000
GAPS_CHARS: Final = 5_000
TITLE_CHARS: Final = 320
MOST_SOURCES: Final = 60

_SYSTEM_CHARS: Final = 6_000
_AROUND_CHARS: Final = 5_000  # moment, scope, conflicts, sections without data
_FENCE_CHARS: Final = 80


def ground(
    run_type: RunType,
    collected: Collected,
    *,
    platforms: Sequence[Platform],
    platform_key: str | None,
    context: JsonValue,
    now: datetime,
) -> Grounds:
    """Number the sources, and bound all that the report may rest on."""
    findings = collected.findings[:MOST_SOURCES]
    rendered = _render_context(context) if context else ""
    gaps = min(GAPS_CHARS, sum(len(gap.label) + len(gap.sentence) + 6 for gap in collected.gaps))
    fences = sum(_FENCE_CHARS + min(TITLE_CHARS, 60 + len(f.label) + len(f.url or "")) for f in findings)
    room = PROMPT_CHARS - AGAIN_CHARS - _SYSTEM_CHARS - _AROUND_CHARS - gaps - fences - len(rendered)
    share = _share_room(room, [len(finding.text) for finding in findings])
    return Grounds(
        run_type=run_type,
        platform_key=platform_key,
        platforms=tuple(platforms),
        sources=tuple(_number(place, finding, share) for place, finding in enumerate(findings, start=1)),
        calculations=None,
        gaps=collected.gaps,
        context=rendered,
        now=now,
    )


def _render_context(context: JsonValue) -> str:
    return clean_text(json.dumps(context, ensure_ascii=False, indent=2, sort_keys=True), CONTEXT_CHARS)


def find_sections_without_data(run_type: RunType, collected: Collected) -> tuple[Section, ...]:
    """Return the sections of findings on whose subject no source returned anything."""
    if not any(section.fed_by for section in run_type.sections):
        return ()
    read = {SourceName(finding.source) for finding in collected.findings}
    return tuple(section for section in run_type.sections if not section.proposes and read.isdisjoint(section.fed_by))


def _number(number: int, finding: Finding, max_chars: int) -> NumberedSource:
    return NumberedSource(
        number=number,
        label=clean_line(finding.label),
        text=clean_text(finding.text, max_chars),
        facts=finding.facts,
        platform_key=finding.platform_key,
        read_at=finding.read_at,
        url=finding.url,
    )


def _share_room(room: int, lengths: Sequence[int]) -> int:
    """Return the most characters that each text may have so that all fit: what short ones leave goes to long ones."""
    for place, length in enumerate(sorted(lengths)):
        share = room // (len(lengths) - place)
        if length > share:
            return max(len(CUT_NOTE), min(FINDING_CHARS, share))
        room -= length
    return FINDING_CHARS
