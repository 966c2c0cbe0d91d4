"""One digit changed: of figures that name a fact, each must be caught; of other findings, three in four."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from evals.corpus import Report
from workers.executive_run.verification.evidence import Evidence, measure
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.form import repair
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement, read_statements
from workers.executive_run.verification.structure import is_structure
from workers.executive_run.verification.verify import verify

FACT: Final = "names a fact"
PROPOSED: Final = "proposal"
_SKIPPED: Final = frozenset({Kind.STRUCTURE, Kind.CITATION})


@dataclass(frozen=True)
class Change:
    """One figure of a report with one digit changed."""

    report: str
    sort: str
    before: str
    after: str
    sentence: str
    is_caught: bool


def change_digits(report: Report, *, every: int = 1, seed: int = 11) -> Iterator[Change]:
    """Change one digit of each figure of a report in turn, and look whether it is caught."""
    chance = random.Random(f"{seed} {report.name}")
    shape = repair(report.text, report.grounds.run_type)
    evidence = Evidence(report.grounds)
    folded = fold(shape.text)
    honest = {fault.start for fault in verify(shape.text, report.grounds).faults}
    number = 0
    for statement in read_statements(shape, evidence.names):
        for figure in statement.figures:
            words = shape.text[figure.start : figure.end]
            if figure.kind in _SKIPPED or figure.is_word or figure.start in honest or not re.search(r"\d", words):
                continue
            sort = _sort(figure, statement, evidence, folded)
            number += 1
            if sort is None or number % every:
                continue
            changed = _change(words, chance)
            text = shape.text[: figure.start] + changed + shape.text[figure.end :]
            faults = verify(text, report.grounds).faults
            caught = any(
                fault.start is not None and abs(fault.start - figure.start) <= len(changed) for fault in faults
            )
            sentence = " ".join(text[statement.span.start : statement.span.end].split())
            yield Change(report.name, sort, words, changed, sentence, is_caught=caught)


def count(changes: Iterator[Change] | list[Change]) -> dict[str, tuple[int, int]]:
    """Return how many of each sort were caught, and how many there were."""
    caught: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for change in changes:
        total[change.sort] += 1
        caught[change.sort] += change.is_caught
    return {sort: (caught[sort], total[sort]) for sort in sorted(total)}


def _sort(figure: Figure, statement: Statement, evidence: Evidence, folded: str) -> str | None:
    """Return what a figure is, by a rule that knows nothing of how the verifier binds it."""
    if statement.part.section.proposes:
        return PROPOSED
    names = {name for mention in statement.mentions if mention.entry.is_firm for name in mention.entry.names}
    platforms = {None, statement.inherited, *(named.key for named in statement.platforms)}
    for name in names:
        for fact in evidence.facts.get(name, ()):
            kind, unit, value = measure(fact)
            same = kind is figure.kind and (kind is not Kind.MONEY or unit == figure.unit)
            if same and fact.subject in platforms and figure.values and figure.matches(value) and value:
                return FACT
    if is_structure(figure, folded, statement):
        return None
    return figure.kind.value


def _change(words: str, chance: random.Random) -> str:
    places = [place for place, char in enumerate(words) if char.isdigit()]
    place = chance.choice(places)
    digits = [digit for digit in "123456789" if digit != words[place]]
    return words[:place] + chance.choice(digits) + words[place + 1 :]
