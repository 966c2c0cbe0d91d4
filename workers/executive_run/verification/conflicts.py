"""Contradictory data: where two sources differ on a fact, a report that uses it says so."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.executive_run.verification.evidence import Evidence, measure
from workers.executive_run.verification.model import Conflict, Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_SAID: Final = re.compile(
    r"contradict|contredi|diverge|ne concordent|discordan|incoheren|desaccord|different selon|differe|"
    r"selon (?:la source|les sources)|ecart entre|"
    r"deux valeurs|ne s'accordent"
)


def find_hidden_conflicts(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find the conflicts of the data on which the report relies without a word."""
    folded = fold(text)
    for conflict in evidence.grounds.conflicts:
        used = next((each for each in statements if _uses(each, conflict)), None)
        if used is not None and not any(_names(each, conflict, folded) for each in statements):
            quote = " ".join(text[used.span.start : used.span.end].split())
            yield used.fault(
                FaultKind.CONFLICT_HIDDEN,
                used.span.start,
                used.span.end,
                quote=quote,
                sentence=(
                    f"Les données se contredisent et le rapport ne le dit pas : {conflict.sentence} Citez les deux "
                    f"valeurs."
                ),
            )


def _uses(statement: Statement, conflict: Conflict) -> bool:
    """Return whether a statement gives one of the two values, beside the fact's name."""
    name = conflict.facts[0].name
    named = any(name in mention.entry.names for mention in statement.mentions)
    return named and bool(_values(statement, conflict))


def _names(statement: Statement, conflict: Conflict, folded: str) -> bool:
    """Return whether a statement gives both values beside the fact's name, or says that the data differ about it."""
    sentence = folded[statement.span.start : statement.span.end]
    if len(_values(statement, conflict)) > 1 and (_uses(statement, conflict) or " selon " in sentence):
        return True
    line = folded[statement.line.start : statement.line.end]
    if not _SAID.search(line):
        return False
    name = conflict.facts[0].name
    mentions = statement.mentions
    return any(name in mention.entry.names for mention in mentions) or len(_values(statement, conflict)) > 1


def _values(statement: Statement, conflict: Conflict) -> set[str]:
    return {
        fact.source
        for fact in conflict.facts
        for figure in statement.figures
        if figure.values and figure.kind is measure(fact)[0] and figure.matches(measure(fact)[2])
    }
