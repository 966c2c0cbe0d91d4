"""What was collected → the question for the model. Pure.

Whatever comes from outside (titles of issues, pages, results of searches, the caller's context) is data: it is
bounded, stripped of invisible characters, and fenced between markers that it cannot close, because they hold a
random word drawn for this run.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from shared.findings import Collected, Finding, Gap
from shared.french import format_moment
from shared.registry import MISSING_DATA_SECTION, RunType, render_system_prompt
from shared.untrusted_text import CUT_NOTE, clean_line, clean_text, fence
from workers.ports import Message, Platform

FINDING_CHARS: Final = 6_000
CONTEXT_CHARS: Final = 8_000
DATA_CHARS: Final = 60_000


def compose(
    run_type: RunType,
    collected: Collected,
    *,
    platforms: Sequence[Platform],
    whole_company: bool,
    context: JsonValue,
    now: datetime,
    nonce: str,
) -> tuple[Message, ...]:
    """Compose the question of one run.

    Units: ``nonce`` is the random word of this run's fences; it must be unknown to the authors of the data.
    """
    parts = [
        f"Nous sommes le {format_moment(now)}.",
        _render_scope(platforms, whole_company=whole_company),
        f"Rapport demandé : {run_type.label}.",
        *_render_findings(collected.findings, nonce),
        *([fence("contexte fourni par l'appelant", _render_context(context), nonce)] if context else []),
        render_gaps(collected.gaps),
    ]
    return (
        Message(role="system", content=render_system_prompt(run_type)),
        Message(role="user", content="\n\n".join(part for part in parts if part)),
    )


def render_gaps(gaps: Sequence[Gap]) -> str:
    """List what is missing, under the heading that the report must repeat."""
    if not gaps:
        return ""
    return "\n".join([f"{MISSING_DATA_SECTION} :", *(f"- {gap.label} : {gap.sentence}" for gap in gaps)])


def _render_scope(platforms: Sequence[Platform], *, whole_company: bool) -> str:
    names = ", ".join(clean_line(platform.name, 80) for platform in platforms)
    if not names:
        return "Entreprise : EMOTIONSCARE. Aucune plateforme n'est enregistrée dans la base du QG."
    subject = "Plateformes de l'entreprise" if whole_company else "Plateforme concernée"
    return f"Entreprise : EMOTIONSCARE. {subject} : {names}."


def _render_findings(findings: Sequence[Finding], nonce: str) -> list[str]:
    rendered: list[str] = []
    left = DATA_CHARS
    for finding in findings:
        text = clean_text(finding.text, min(FINDING_CHARS, max(left, len(CUT_NOTE))))
        left -= len(text)
        title = finding.label if finding.url is None else f"{finding.label} ({finding.url})"
        rendered.append(fence(title, text, nonce))
    return rendered


def _render_context(context: JsonValue) -> str:
    return clean_text(json.dumps(context, ensure_ascii=False, indent=2, sort_keys=True), CONTEXT_CHARS)
