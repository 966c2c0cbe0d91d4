"""Scores and decisions: a score is 100 less what is listed, and nothing is judged that could not be read."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from shared.registry import SourceName
from workers.executive_run.verification.evidence import ANYWHERE, Evidence
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.gaps import judge_over_gap, missing_sources
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_WHOLE: Final = Decimal(100)
_WEB: Final = frozenset({SourceName.PERPLEXITY.value, SourceName.FIRECRAWL.value})
_GO: Final = re.compile(
    r"(?<!no-)(?<!no )(?<!no\u2011)\bgo\b(?!\s*(?:/|ou)\s*no)(?P<conditions>\s*\**\s*(?:sous|avec|"
    r"a)\s+(?:\w+\s+)?(?:conditions?|reserves?)|\s+conditionn\w+)?"
)
_ACCEPTED: Final = re.compile(
    r"\b(?:accepter|accepte|favorable|avis favorable|approuver|feu vert|autorisee?s?|oui)\b"
    r"(?!\**\s(?:\w+\s)?sous\s(?:\w+\s)?(?:conditions?|reserves?))"
)
_NOT: Final = re.compile(
    r"\bsi\b|(?:\b(?:ne|ni|pas|non|refuser|defavorable|impossible|avant)\b|\baucune? (?:decision|avis)\b)"
    r"(?:(?!\bmais\b)[^,;:]){0,40}$"
)
_NOT_AFTER: Final = re.compile(
    r"\**\s?(?:est |reste |serait )?(?:n'est|ne |impossible|exclu|suspendu|premature|report|pourra|viendra|exiger|"
    r"attend)|"
    r"[^.;:]{0,40}\bserait (?:imprudent|premature|hasardeu|deraisonnable|une erreur)"
)
_NO_GO: Final = re.compile(r"\bno[- \u2011]?go\b")
_OF_THE_OTHER: Final = re.compile(r"\b(?:d'un|conditions (?:de|du)|permettrait (?:un|le))\s\**$")
"""What leads a GO that a NO-GO speaks of: « conditions d'un GO »."""
_HELD: Final = re.compile(
    r"\bno[- ]?go\b|\brefus|\bdefavorable|\bsuspen|\breport(?:er|ee?s?)?\b|\bajourn|\bdiffer(?:er|ee?s?)\b|"
    r"\b(?:non|in)[- ]?disponibles?\b|\bimpossible|\bsous (?:\w+ )?(?:conditions?|reserves?)|\bne pas\b|"
    r"\bnon (?:autorise|rendu|favorable)|\bfeu rouge|\brejet|\battendre\b|\bne (?:peut|peuvent|permet|permettent)\b|"
    r"\bn'est pas\b|\bpas (?:de |d')?(?:decision|avis|go)\b|\bni go\b|\bexclu|\bbloqu|\bsurseoir|\bretenir\b|"
    r"\breserve|\bne rien\b|^\W*non\b|\bconditionn|\bimprudent|\bpremature|\baucune? (?:decision|avis)\b|\bsi\b",
    re.MULTILINE,
)
"""What a decision says that waits for what could not be read."""
_DEDUCTION: Final = re.compile(
    r"(?P<minus>(?<![\w/])-\s?)(?P<points>\d{1,2}(?:[.,]\d)?)(?!\d)\s*(?:points?|pts?)?\b"
    r"|(?P<words>\d{1,2}(?:[.,]\d)?)\s*(?:points?|pts?)\s*(?:retires?|en moins|deduits?|perdus?|de moins|:|pour\b)"
)
_CONDITIONAL: Final = re.compile(
    r"[^.;]{0,60}?\b(?:serai(?:en)?t\s(?:\w+\s)?(?:trompeu|faux|fausse|abusi|inexact|sans (?:valeur|objet)|prematur)|"
    r"induirait|tromperait|signifierait|laisserait croire|ne (?:voudrait|dirait) rien)"
)
"""A score of which only is said that it would be wrong: « afficher 100 sur 100 serait trompeur »."""
_ANNOUNCED: Final = re.compile(r"[^:\n]{0,60}:\s*$", re.MULTILINE)
"""The rest of a line that only announces a list."""
_AIM: Final = re.compile(r"\bobjectif|\bcible|\bviser|\bvise\b|\batteindre|\bseuil")


def find_judgements(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find what is scored without its deductions, and what is judged although its data are missing."""
    folded = fold(text)
    missing = missing_sources(evidence)
    for part, group in groupby(statements, key=lambda statement: statement.part):
        inside = list(group)
        title = fold(part.section.title)
        scores = [(each, figure) for each in inside for figure in each.figures if figure.kind is Kind.SCORE]
        if scores:
            yield from _check_score(text, folded, scores, evidence, missing)
        if title in {"decision", "avis"}:
            yield from _check_decision(text, folded, inside, evidence, missing)
    yield from _find_unfounded_scores(text, folded, statements, evidence)


def _check_score(
    text: str,
    folded: str,
    scores: Sequence[tuple[Statement, Figure]],
    evidence: Evidence,
    missing: frozenset[str],
) -> Iterator[Fault]:
    scores = [each for each in scores if not _CONDITIONAL.match(folded, each[1].end)]
    if not scores:
        return
    statement, figure = scores[0]
    part = statement.part
    sources = {source.value for source in part.section.fed_by} or _own_sources(evidence)
    quote = text[figure.start : figure.end]
    if lacking := sources & missing:
        label = next(gap.label for gap in evidence.grounds.gaps if gap.source in lacking)
        yield judge_over_gap(statement, figure.start, figure.end, quote, label)
        return
    found = list(_DEDUCTION.finditer(folded, part.start, part.end))
    deducted = sum((_points(each) for each in found), Decimal(0))
    lost = _WHOLE - figure.value
    if len(found) > 1 and _points(found[0]) == lost and _ANNOUNCED.match(folded, found[0].start()):
        deducted -= lost  # « Sont retirés 44 points : », and then which.
    if part.section.title.lower().startswith("score") and deducted != lost:
        ours = f"{_WHOLE - deducted} sur 100"
        yield Fault(
            kind=FaultKind.CONTRADICTED,
            section=part.section.title,
            quote=quote,
            sentence=(
                f"« {quote} » : la note est 100 moins les points retirés qui sont listés ({deducted} ici, donc {ours})."
            ),
            start=figure.start,
            end=figure.end,
            ours=ours,
        )


def _points(found: re.Match[str]) -> Decimal:
    return Decimal((found["points"] or found["words"]).replace(",", "."))


def _find_unfounded_scores(
    text: str, folded: str, statements: Sequence[Statement], evidence: Evidence
) -> Iterator[Fault]:
    """Find the scores that neither the data hold nor the report's own deductions give."""
    scores = [(each, figure) for each in statements for figure in each.figures if figure.kind is Kind.SCORE]
    own = next((figure for each, figure in scores if _is_score_part(each)), None)
    for statement, figure in scores:
        is_own = own is not None and figure.value == own.value
        is_aim = statement.is_proposed or statement.has_repere
        is_aim = is_aim or bool(_AIM.search(folded, statement.span.start, statement.span.end))
        if is_own or is_aim or evidence.find(figure, ANYWHERE):
            continue
        quote = text[figure.start : figure.end]
        yield statement.fault(
            FaultKind.UNVERIFIED,
            figure.start,
            figure.end,
            quote=quote,
            sentence=f"« {quote} » : cette note ne figure pas dans les données. Retirez-la, ou dites d'où elle vient.",
        )


def _is_score_part(statement: Statement) -> bool:
    return fold(statement.part.section.title).startswith("score")


def _check_decision(
    text: str, folded: str, statements: Sequence[Statement], evidence: Evidence, missing: frozenset[str]
) -> Iterator[Fault]:
    lacking = _own_sources(evidence) & missing
    if not lacking:
        return
    label = next(gap.label for gap in evidence.grounds.gaps if gap.source in lacking)
    is_no_go = bool(_NO_GO.search(folded, statements[0].part.start, statements[0].part.end))
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        found = next((go for go in _GO.finditer(folded, start, end) if not go["conditions"]), None)
        found = found or _ACCEPTED.search(folded, start, end)
        if found is None:
            continue
        before = folded[start : found.start()]
        is_denied = _NOT.search(before) or _NOT_AFTER.match(folded, found.end(), end)
        if not is_denied and not (is_no_go and _OF_THE_OTHER.search(before)):
            yield judge_over_gap(statement, found.start(), found.end(), text[found.start() : found.end()], label)
            return
    part, first = statements[0].part, statements[0]
    # What it is not based on does not hold a decision up, as long as no word accepts.
    is_fed = not part.section.fed_by or not missing.isdisjoint(source.value for source in part.section.fed_by)
    if is_fed and not _HELD.search(folded, part.start, part.end):
        yield judge_over_gap(first, first.span.start, first.span.end, text[first.span.start : first.span.end], label)


def _own_sources(evidence: Evidence) -> frozenset[str]:
    return frozenset(source.value for source in evidence.grounds.run_type.sources) - _WEB
