"""Whose figure it is: the platform that a sentence, item or header names beside it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.executive_run.verification.evidence import Evidence, Scope
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.platforms import PlatformMention
from workers.executive_run.verification.statements import Statement

_OF_PLATFORM: Final = re.compile(
    r"(?:[^;.]{0,60}?)(?:\bsur|\bchez|\bpour|\bcote|\bde|\bd'|\bdans|\bconcernent|\bconcerne|\bvienne?n?t de|"
    r"\brevienne?n?t a|\()\s?\**\s?(?:la plateforme |le depot )?\**$"
)
_ALL: Final = re.compile(r"\bau total\b|toutes (?:les )?plateformes|ensemble des|l'entreprise")
_ENDS_CLAUSE: Final = re.compile(r"\bet\b|\bceux\b|\bcelui\b|\bcelles?\b|,")
_TOTAL: Final = re.compile(r"\b(?:total|ensemble|somme)\b[^.;]{0,12}$")
_EQUALS: Final = re.compile(r"\b(?:correspond|represente|repond|vaut|retient|reprend)")
_COMPARES: Final = re.compile(
    r"\b(?:superieure?s?|inferieure?s?|(?<!est )(?:celles?|celui|ceux)|devant|derriere|contre)\b|\bque\b"
)
_TOGETHER: Final = re.compile(r"\**\s?(?:\[s\d+\]\s?)*(?:,|et|ou|&|/)\s?(?:de |d'|sur )?\**")


@dataclass(frozen=True, slots=True)
class Subject:
    """The platform of a figure: a key, or None for the company."""

    key: str | None
    is_named: bool
    """Its own sentence names it; otherwise it is what stands above, and may be wrong."""
    is_shared: bool = False
    """Several are named together: whose figure it is cannot be said."""


def find_subject(figure: Figure, statement: Statement, folded: str) -> Subject:
    """Find the platform that a figure belongs to."""
    before = [named for named in statement.platforms if named.end <= figure.start]
    after = [named for named in statement.platforms if named.start >= figure.end]
    if not before and after and _TOTAL.search(folded, statement.span.start, figure.start):
        after = [] if _EQUALS.search(folded, figure.end, after[0].start) else after
    if after:
        between = folded[figure.end : after[0].start]
        is_next = bool(before) and _ENDS_CLAUSE.search(between)
        is_next = is_next or _COMPARES.search(between)
        if _OF_PLATFORM.fullmatch(between) and not is_next and not _has_figure(statement, figure.end, after[0].start):
            return Subject(after[0].key, is_named=True, is_shared=_is_joined(after, folded))
    if before:
        if len(before) > 1 and _TOGETHER.fullmatch(folded, before[-2].end, before[-1].start):
            return Subject(before[-1].key, is_named=True, is_shared=True)
        clause = folded[before[-1].end : figure.start]
        if _ALL.search(clause):
            return Subject(None, is_named=False)
        return Subject(before[-1].key, is_named=True)
    return Subject(statement.inherited, is_named=False)


def find_scope(figure: Figure, statement: Statement, folded: str, evidence: Evidence) -> Scope:
    """Return where a figure may come from: what its sentence cites, and the data of the platform it belongs to."""
    subject = find_subject(figure, statement, folded)
    named = subject.key if subject.is_named and not subject.is_shared else None
    return Scope(statement.citations, named, also=subject.key or evidence.grounds.platform_key)


def _is_joined(named: Sequence[PlatformMention], folded: str) -> bool:
    return len(named) > 1 and bool(_TOGETHER.fullmatch(folded, named[0].end, named[1].start))


def _has_figure(statement: Statement, start: int, end: int) -> bool:
    return any(
        start <= figure.start < end
        for figure in statement.figures
        if figure.values and figure.kind not in {Kind.DURATION, Kind.STRUCTURE, Kind.DATE}
    )
