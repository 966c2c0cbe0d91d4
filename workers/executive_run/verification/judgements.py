"""Scores and decisions: a score is 100 less what is listed, and nothing is judged that could not be read."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from shared.registry import SourceName
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.gaps import missing_sources
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_WHOLE: Final = Decimal(100)
_WEB: Final = frozenset({SourceName.PERPLEXITY.value, SourceName.FIRECRAWL.value})
_GO: Final = re.compile(
    r"(?<!no-)(?<!no )(?<!no\u2011)\bgo\b(?!\s*(?:/|ou)\s*no)(?P<conditions>\s*\**\s*(?:sous|avec|"
    r"a)\s+(?:\w+\s+)?(?:conditions?|reserves?))?"
)
_ACCEPTED: Final = re.compile(r"\b(?:accepter|accepte|favorable|avis favorable|approuver)\b")
_NOT: Final = re.compile(r"\b(?:ne|pas|non|refuser|defavorable|si|impossible|avant|sans|aucune?)\b")
_DEDUCTION: Final = re.compile(
    r"(?P<minus>(?<![\w/])-\s?)(?P<points>\d{1,2}(?:[.,]\d)?)(?!\d)\s*(?:points?|pts?)?\b"
    r"|(?P<words>\d{1,2}(?:[.,]\d)?)\s*(?:points?|pts?)\s*(?:retires?|en moins|deduits?|perdus?|de moins|:|pour\b)"
)
_SCORED: Final = re.compile(r"\bscore\b|\bnote\b")


def find_judgements(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find what is scored without its deductions, and what is judged although its data are missing."""
    folded = fold(text)
    missing = missing_sources(evidence)
    for part, group in groupby(statements, key=lambda statement: statement.part):
        inside = list(group)
        scores = [(each, figure) for each in inside for figure in each.figures if figure.kind is Kind.SCORE]
        if scores:
            yield from _check_score(text, folded, scores, evidence, missing)
        title = fold(part.section.title)
        if title in {"decision", "avis"}:
            yield from _check_decision(text, folded, inside, evidence, missing)


def _check_score(
    text: str,
    folded: str,
    scores: Sequence[tuple[Statement, Figure]],
    evidence: Evidence,
    missing: frozenset[str],
) -> Iterator[Fault]:
    statement, figure = scores[0]
    part = statement.part
    sources = {source.value for source in part.section.fed_by} or _own_sources(evidence)
    quote = text[figure.start : figure.end]
    if lacking := sources & missing:
        label = next(gap.label for gap in evidence.grounds.gaps if gap.source in lacking)
        yield _over_gap(statement, figure.start, figure.end, quote, label)
        return
    deducted = sum(
        (
            Decimal((found["points"] or found["words"]).replace(",", "."))
            for found in _DEDUCTION.finditer(folded, part.start, part.end)
        ),
        Decimal(0),
    )
    if part.section.title.lower().startswith("score") and deducted != _WHOLE - figure.value:
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


def _check_decision(
    text: str, folded: str, statements: Sequence[Statement], evidence: Evidence, missing: frozenset[str]
) -> Iterator[Fault]:
    lacking = _own_sources(evidence) & missing
    if not lacking:
        return
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        found = next((go for go in _GO.finditer(folded, start, end) if not go["conditions"]), None)
        found = found or _ACCEPTED.search(folded, start, end)
        if found and not _NOT.search(folded, start, found.start()):
            label = next(gap.label for gap in evidence.grounds.gaps if gap.source in lacking)
            yield _over_gap(statement, found.start(), found.end(), text[found.start() : found.end()], label)
            return


def _own_sources(evidence: Evidence) -> frozenset[str]:
    return frozenset(source.value for source in evidence.grounds.run_type.sources) - _WEB


def _over_gap(statement: Statement, start: int, end: int, quote: str, label: str) -> Fault:
    return Fault(
        kind=FaultKind.JUDGED_OVER_GAP,
        section=statement.part.section.title,
        quote=quote[:200],
        sentence=f"« {quote[:60]} » juge ce qui n'a pas pu être lu ({label}) : écrivez « Donnée non disponible ».",
        start=start,
        end=end,
    )
