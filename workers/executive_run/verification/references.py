"""Citations, and what is known by a number of its own: CVEs, tickets, commits, versions. None may come from memory."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.model import QUOTE_CHARS, Fault, FaultKind
from workers.executive_run.verification.statements import Statement

_WANTED: Final = re.compile(
    r"objectif|\bcible|propos|prevue?s?\b|prochaine version|future|a venir|publier|preparer|viser"
)
_NUMBER_CHARS: Final = 8


def check_references(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find citations of sources that there are not, and references that no source holds."""
    grounds = evidence.grounds
    sources = [*grounds.sources, *([grounds.calculations] if grounds.calculations else [])]
    numbers = {str(source.number) for source in sources}
    for statement in statements:
        for figure in statement.figures:
            if figure.kind is Kind.CITATION:
                unknown = [number for number in figure.unit.split() if number.lstrip("0") not in numbers]
                if unknown:
                    yield _unknown_citation(text, figure, statement, unknown[0])
            elif figure.kind in {Kind.REFERENCE, Kind.VERSION} and not _is_known(figure, text, statement, evidence):
                yield _unknown_reference(text, figure, statement)


def _is_known(figure: Figure, text: str, statement: Statement, evidence: Evidence) -> bool:
    if evidence.has_mark(figure.kind, figure.unit):
        return True
    words = re.escape(figure.unit)
    stands = figure.unit in evidence.words and re.search(rf"(?<![\w.#-])v?{words}(?![\w-]|\.\d)", evidence.words)
    if stands:
        return True
    if figure.kind is not Kind.VERSION:
        return False
    # The version that one proposes to publish is not there yet.
    sentence = text[statement.span.start : statement.span.end].lower()
    return statement.part.section.proposes and bool(_WANTED.search(sentence))


def _unknown_citation(text: str, figure: Figure, statement: Statement, number: str) -> Fault:
    quote = text[figure.start : figure.end][:QUOTE_CHARS]
    shown = number[:_NUMBER_CHARS]
    return statement.fault(
        FaultKind.UNKNOWN_CITATION,
        figure.start,
        figure.end,
        quote=quote,
        sentence=f"[S{shown}] n'est le numéro d'aucune source : citez celle dont le fait provient, ou retirez-le.",
    )


def _unknown_reference(text: str, figure: Figure, statement: Statement) -> Fault:
    quote = text[figure.start : figure.end][:QUOTE_CHARS]
    what = "cette version" if figure.kind is Kind.VERSION else "cette référence"
    return statement.fault(
        FaultKind.UNKNOWN_REFERENCE,
        figure.start,
        figure.end,
        quote=quote,
        sentence=f"« {quote} » : {what} ne figure dans aucune source. Retirez-la ou reprenez celle des données.",
    )
