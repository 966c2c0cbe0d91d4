"""Contradictory data: where two sources differ on a fact, a report that uses it says so."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from workers.executive_run.verification.evidence import Evidence, measure
from workers.executive_run.verification.model import Conflict, Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement

_SAID: Final = re.compile(
    r"contradict|contredi|diverge|ne concordent|discordan|incoheren|desaccord|different selon|differe|"
    r"selon (?:la source|les sources)|ecart entre|"
    r"deux valeurs|ne s'accordent|\bconteste|pas le meme"
)
_ORIGIN: Final = re.compile(
    r"\bselon\b|\bgithub\b|\bqg\b|\bbase\b|\bsources?\b|\bentre \**\d|\d\** ou \**\d|\[s\d+\][^.]*\[s\d+\]"
)
"""What says from where the two values come: « 30 ou 34 » is a conflict, « passé de 34 à 30 » a story of ours."""


def find_hidden_conflicts(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find the conflicts of the data on which the report relies without a word."""
    folded = fold(text)
    for conflict in evidence.grounds.conflicts:
        used = next((each for each in statements if _uses(each, conflict)), None)
        is_named = any(_names(each, conflict, folded) for each in statements)
        is_named = is_named or any(_name_together(one, other, conflict, folded) for one, other in pairwise(statements))
        if used is not None and not is_named:
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
    if len(_values(statement, conflict)) > 1 and _ORIGIN.search(statement.words):
        return True
    line = folded[statement.line.start : statement.line.end]
    if not _SAID.search(line):
        return False
    name = conflict.facts[0].name
    mentions = statement.mentions
    return any(name in mention.entry.names for mention in mentions) or len(_values(statement, conflict)) > 1


def _name_together(one: Statement, other: Statement, conflict: Conflict, folded: str) -> bool:
    """Return whether two sentences give one value each, and say whose.

    « 30 tickets [S2]. La base du QG en a 34. »
    """
    values = _values(one, conflict), _values(other, conflict)
    if one.part != other.part or not all(values) or len(values[0] | values[1]) < len(conflict.facts):
        return False
    names = conflict.facts[0].name
    is_about = any(names in mention.entry.names for each in (one, other) for mention in each.mentions)
    return is_about and bool(_ORIGIN.search(folded, one.span.start, other.span.end))


def _values(statement: Statement, conflict: Conflict) -> set[str]:
    return {
        fact.source
        for fact in conflict.facts
        for figure in statement.figures
        if figure.values and figure.kind is measure(fact)[0] and figure.matches(measure(fact)[2])
    }
