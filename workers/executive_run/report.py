"""The report as it is stored: one line that says what it is, the model's parts, then ours: the sources and the gaps.

Several screens show the first 100 to 150 characters of a report as plain text, and one broadcasts the first 100 on a
channel that anybody may hear. So the first line says what a report is and how far it can be trusted, and holds no
figure of the company: within its first 100 characters no digit but those of its date.
"""

import re
from collections.abc import Sequence
from typing import Final

from shared.findings import Finding, Gap
from shared.french import format_day, format_hour, format_moment
from shared.registry import MISSING_DATA_SECTION, SOURCES_SECTION, Section
from shared.sanitise import sanitise
from shared.untrusted_text import clean_line
from workers.executive_run.grounds import list_sources
from workers.executive_run.verification.model import FaultKind, Grounds, NumberedSource, Verification
from workers.executive_run.verification.verify import mark

PUBLIC_CHARS: Final = 100
"""How much of a report may be shown to anybody."""

_DIGITS: Final = re.compile(r"\w*\d\w*")
_LABEL_CHARS: Final = 120


def write_report(
    verification: Verification, grounds: Grounds, findings: Sequence[Finding], without_data: Sequence[Section]
) -> str:
    """Write the report that is stored, links and HTML removed."""
    parts = [
        write_first_line(verification, grounds),
        mark(verification),
        _render_sources(grounds),
        _render_missing(grounds.gaps, without_data),
    ]
    return sanitise("\n\n".join(part for part in parts if part), findings)


def write_first_line(verification: Verification, grounds: Grounds) -> str:
    """Write the line with which a report begins: how far it can be trusted, what it is, when its data were read."""
    state, sentence = _describe_state(verification, has_gaps=bool(grounds.gaps))
    read_at = max((source.read_at for source in grounds.sources), default=grounds.now)
    names = {platform.key: platform.name for platform in grounds.platforms}
    key = grounds.platform_key
    scope = "toute l'entreprise" if key is None else _DIGITS.sub("", clean_line(names.get(key, key), 40)).strip()
    label = grounds.run_type.label
    head = " · ".join(part for part in (state, label, scope, format_day(read_at)) if part)
    return f"{head} : {sentence} Données lues à {format_hour(read_at)}."


def _describe_state(verification: Verification, *, has_gaps: bool) -> tuple[str, str]:
    """Return the state of a report in two words, and in a sentence of more than 70 characters without a digit."""
    if verification.count(FaultKind.CONTRADICTED):
        return (
            "Chiffres corrigés",
            "au moins un chiffre contredisait les données lues ; leur valeur est donnée à côté, ou à la fin.",
        )
    if verification.count(FaultKind.UNVERIFIED):
        return (
            "Chiffres à vérifier",
            "ce qui n'a pas été retrouvé dans les données lues par le QG porte la mention « non vérifié ».",
        )
    if verification.faults:
        return (
            "Références à vérifier",
            "une référence citée n'a pas été retrouvée parmi les données lues par le QG, les chiffres si.",
        )
    if has_gaps:
        return (
            "Données incomplètes",
            "chaque chiffre a été comparé aux données lues, sans écart ; celles qui manquent sont nommées à la fin.",
        )
    return (
        "Chiffres comparés",
        "chaque chiffre de ce rapport a été comparé aux données lues par le QG, sans écart relevé.",
    )


def _render_sources(grounds: Grounds) -> str:
    numbered = list_sources(grounds)
    if not numbered:
        return ""
    return "\n".join([f"## {SOURCES_SECTION}\n", *map(_render_source, numbered)])


def _render_source(source: NumberedSource) -> str:
    label = clean_line(source.label, _LABEL_CHARS).translate(_NO_BRACKETS)
    shown = label if source.url is None else f"[{label}]({source.url})"
    return f"- [S{source.number}] {shown}, lu le {format_moment(source.read_at)}"


_NO_BRACKETS: Final = str.maketrans("[]", "()")


def _render_missing(gaps: Sequence[Gap], without_data: Sequence[Section]) -> str:
    lines = [f"- {clean_line(gap.label, _LABEL_CHARS)} : {clean_line(gap.sentence, 400)}" for gap in gaps]
    if without_data:
        titles = ", ".join(f"« {section.title} »" for section in without_data)
        lines.append(f"- Aucune source ne porte encore sur : {titles}.")
    return "\n".join([f"## {MISSING_DATA_SECTION}\n", *(lines or ["Aucune : toutes les sources ont répondu."])])
