"""What is missing, and what a report makes of it: it may not deny it, nor judge what it hides."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from shared.findings import GapReason
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.lexicon import SOURCES
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_DENIED: Final = re.compile(
    r"\btoutes les (?:donnees|sources)(?: \w+){0,3} (?:etaient|sont|ont ete|ont)(?: \w+)? (?:disponibles?|"
    r"completes?|presentes?|repondu|lues|fournies|"
    r"accessibles)"
    r"|\baucune (?:donnee|source|information) (?:ne manque|manquante|n'est manquante|ne fait defaut|"
    r"n'est indisponible|n'a fait defaut|n'a manque)"
    r"|\bl'ensemble des (?:donnees|sources) (?:est|sont|a|ont)(?: \w+)? (?:disponibles?|repondu|completes?|lue?s?|"
    r"accessibles?)"
    r"|\b(?:donnees|sources) (?:completes|toutes disponibles)\b|\brien ne manque\b|\bsans aucune donnee manquante"
)
_NOTHING: Final = re.compile(
    r"\b(?:aucune?s?|zero|pas d'|pas de|nulle?)\s(?:nouve(?:aux|lle|au)s?\s|autre\s|veritable\s)?\**"
)
_OPEN_END: Final = re.compile(
    r"\**(?:\s(?:ouverte?s?|en cours|detectee?s?|signalee?s?|recensee?s?|connue?s?|critiques?|a ce jour|n'est|n'a ete|"
    r"sur|chez|pour|depuis|enregistree?s?|constatee?s?|n'apparait|active?s?)|\s?[.,;:()]|$)"
)
# « L'audit ne porte sur aucune table », « aucune table n'a été lue »: that says what is missing.
_REACHES: Final = re.compile(r"\b(?:porte|portent|repose|reposent|fonde|fondee?s?|couvre|couvrent)\s[^.;:,]{0,20}$")
_DOUBTED: Final = re.compile(
    r"\bfaute d|\brien ne permet|\bne (?:dit|prouve|permet|signifie|compte|montre) (?:pas|aucune?)|\bn'est pas vrai|"
    r"\bce ne sont pas|\bon ne peut|\bimpossible (?:de|d')"
)
_NOT_READ: Final = re.compile(
    r"\**\sn'(?:a|ont|est|etait)\s(?:pu\s)?(?:etre\s|ete\s)?"
    r"(?:lu|lisible|transmis|communiqu|fourni|analys|examin|consult|controle|prouv|demontr)"
)
_EMPTY_BODY: Final = re.compile(
    r"[\s*_-]*(?:aucune?s?(?: (?:alerte|incident|faille|echec|element|a signaler|critique|decision|action|"
    r"retour arriere|en cours|a ce jour|ouverte?)s?)*|neant|"
    r"r\.?a\.?s\.?|rien a signaler)[\s.*_]*"
)


def find_denied_gaps(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find sentences that say that nothing is missing, or that there is nothing where nobody could look."""
    gaps = evidence.grounds.gaps
    folded = fold(text)
    # A source that answered « nothing » was read: to say that there is nothing denies no gap.
    missing = missing_sources(evidence, with_empty=False)
    unknown = {name: source for source in missing for name in SOURCES.get(source, ())}
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        denied = _DENIED.search(folded, start, end) if gaps else None
        if denied and not _DOUBTED.search(folded, start, denied.end()):
            yield _denied(text, statement, denied.start(), denied.end(), gaps[0].label)
            continue
        for mention in statement.mentions:
            source = next((unknown[name] for name in mention.entry.names if name in unknown), None)
            nothing = source and _is_nothing(folded, start, mention.start, mention.end)
            if source and nothing and not evidence.facts.get(mention.entry.names[0]):
                label = next(gap.label for gap in gaps if gap.source == source)
                yield _denied(text, statement, mention.start, mention.end, label)
                break
    yield from _find_empty_sections(text, statements, missing, evidence)


def missing_sources(evidence: Evidence, *, with_empty: bool = True) -> frozenset[str]:
    """Return the sources that answered nothing at all, those that were read and hold nothing among them or not."""
    answered = {source.source for source in evidence.grounds.sources}
    gaps = [gap for gap in evidence.grounds.gaps if with_empty or gap.reason is not GapReason.EMPTY]
    return frozenset(gap.source for gap in gaps) - answered


def judge_over_gap(statement: Statement, start: int, end: int, quote: str, label: str) -> Fault:
    """Make the fault of a score, a colour or a decision on what could not be read."""
    return statement.fault(
        FaultKind.JUDGED_OVER_GAP,
        start,
        end,
        quote=quote,
        sentence=f"« {quote[:60]} » juge ce qui n'a pas pu être lu ({label}) : écrivez « Donnée non disponible ».",
    )


def _is_nothing(folded: str, start: int, at: int, end: int) -> bool:
    before = list(_NOTHING.finditer(folded, start, at))
    if not before or before[-1].end() != at:
        return False
    begin = before[-1].start()
    is_about_reading = _REACHES.search(folded, start, begin) or _NOT_READ.match(folded, end)
    is_doubted = _DOUBTED.search(folded, start, begin)
    return not is_about_reading and not is_doubted and bool(_OPEN_END.match(folded, end))


def _find_empty_sections(
    text: str, statements: Sequence[Statement], missing: frozenset[str], evidence: Evidence
) -> Iterator[Fault]:
    """Find « Aucune. » as the whole of a section whose sources all failed to answer."""
    for part in dict.fromkeys(statement.part for statement in statements):
        sources = {source.value for source in part.section.fed_by}
        if sources and sources <= missing and _EMPTY_BODY.fullmatch(fold(text[part.start : part.end])):
            label = next(gap.label for gap in evidence.grounds.gaps if gap.source in sources)
            first = next(statement for statement in statements if statement.part == part)
            yield _denied(text, first, part.start, part.end, label)


def _denied(text: str, statement: Statement, start: int, end: int, label: str) -> Fault:
    quote = text[start:end]
    return statement.fault(
        FaultKind.GAP_DENIED,
        start,
        end,
        quote=quote,
        sentence=(
            f"« {quote[:80]} » : « {label} » n'a pas pu être lu. Écrivez « Donnée non disponible » au lieu de "
            f"l'affirmer."
        ),
    )
