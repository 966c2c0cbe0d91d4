"""What a reader can work out from figures that stand, sentence after sentence: the arithmetic and the ages of rule (b).

An operand stands in the same line, or farther up in the section, or is a fact that the line names or its source holds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from workers.executive_run.verification.ages import is_age_in_data, is_age_of, stems_of
from workers.executive_run.verification.arithmetic import (
    as_written,
    is_result,
    is_said_in_words,
    is_same_duration,
    read_formulas,
    results_across,
    results_from,
)
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.facts import FactCheck
from workers.executive_run.verification.figure import Figure, Key, Kind
from workers.executive_run.verification.numbers import with_unit_of
from workers.executive_run.verification.statements import Statement
from workers.executive_run.verification.structure import FACTORS
from workers.executive_run.verification.subjects import find_scope

_WITH_UNITS: Final = frozenset({Kind.MONEY, Kind.PERCENT, Kind.DURATION, Kind.POINTS})
_NO_THING: Final = re.compile(r"\w+ee|lue|autre|restante?")
"""What follows a bare number and names nothing that is counted: « sur les 812 cumulées »."""
_PER_HUNDRED: Final = re.compile(r"\bpour 100\b")
_MOST_UNDERIVED: Final = 60
"""No sentence of a report has so many figures to explain; one that has is not worth the time."""
_MOST_TURNS: Final = 3
"""A result may be the operand of a second one, and that of a third."""
_MOST_NEAR: Final = 8
_MOST_ABOVE: Final = 16
_REACH: Final = 6


@dataclass(slots=True)
class DerivedFigures:
    """The figures of a report that stand so far, and what they give."""

    evidence: Evidence
    facts: FactCheck
    folded: str
    _line: int = -1
    _part: int = -1
    _sentences: list[Statement] = field(default_factory=list)
    _standing: list[Figure] = field(default_factory=list)
    """In the line under way."""
    _above: list[Figure] = field(default_factory=list)
    """Before it in the section."""
    _given: dict[Key, tuple[int, set[str]]] = field(default_factory=dict)
    """What arithmetic gave, with its section and the words of its sentence: it may be said again of the same thing."""
    _numbers: set[Decimal] = field(default_factory=set)

    def enter(self, statement: Statement) -> None:
        """Go on to a sentence."""
        if statement.line.start != self._line:
            self._above += self._standing
            self._standing, self._sentences, self._line = [], [], statement.line.start
        if statement.part.start != self._part:
            self._above, self._part = [], statement.part.start
        self._sentences.append(statement)

    def add(self, figures: Iterable[Figure]) -> None:
        """Take figures that stand."""
        self._standing += figures

    def find_underived(self, figures: Sequence[Figure]) -> list[Figure]:
        """Return those figures of the sentence that nothing gives; a result may be the operand of another."""
        left = self._without(figures, self._shown(figures))
        if len(left) > _MOST_UNDERIVED:
            return left
        for turn in range(_MOST_TURNS):
            derived = [each for each in left if self._is_given(each) or (not turn and self._results_across(each))]
            if not derived:
                break
            left = self._without(left, derived)
        return [*left, *(each for each in self._wrongly_added() if each not in left)]

    def _wrongly_added(self) -> Iterator[Figure]:
        """Yield the operands of a sum whose result the sentence does not give: « 70 tickets (30 + 72 + 18) »."""
        statement = self._sentences[-1]
        figures = [] if statement.is_proposed else [each for each in statement.figures if each.values]
        for operands, result in read_formulas(figures, self.folded):
            before = self.folded[statement.span.start : operands[0].start].rstrip("* ")
            after = self.folded[operands[-1].end : operands[-1].end + 3].lstrip("* ")
            is_aside = before.endswith("(") and after.startswith(")") and re.search(r"\d", before)
            is_sum = "+" in self.folded[operands[0].end : operands[1].start]
            others = [each for each in figures if each not in operands]
            if is_aside and is_sum and not any(is_result(each, result) for each in others):
                yield from operands

    def _without(self, figures: Sequence[Figure], given: Sequence[Figure]) -> list[Figure]:
        self.add(given)
        statement = self._sentences[-1]
        words = stems_of(statement.words) if given else set()
        for each in given:
            self._given.setdefault(each.key, (self._part, words))
        self._numbers |= {value for each in given for value in as_written(each).values}
        return [each for each in figures if each not in given]

    def _shown(self, figures: Sequence[Figure]) -> list[Figure]:
        """Return the operands and results of the formulas that the sentence writes out, right and from our numbers."""
        statement = self._sentences[-1]
        shown: list[Figure] = []
        per_hundred = bool(_PER_HUNDRED.search(statement.words))
        for operands, result in read_formulas(statement.figures, self.folded):
            others = [each for each in statement.figures if each.values and each not in operands]
            results = [each for each in others if is_result(each, result, per_hundred=per_hundred)]
            if any(each.noun for each in operands) and any(each.kind is Kind.MONEY for each in operands):
                # « 3 046,46 € / 128 abonnements » is no share.
                results = [each for each in results if each.kind is not Kind.PERCENT]
            is_right = results or is_said_in_words(result, statement.words)
            is_ours = any(each.value not in FACTORS for each in operands)
            if is_right and is_ours and all(each not in figures or self._is_number_of_data(each) for each in operands):
                shown += [each for each in (*operands, *results) if each in figures]
        return shown

    def _is_number_of_data(self, figure: Figure) -> bool:
        """Return whether an operand stands in the data in any unit, or is one that no data need to hold."""
        is_known = self.evidence.holds_number(as_written(figure))
        return is_known or figure.value in FACTORS or figure.value in self._numbers

    def _is_given(self, figure: Figure) -> bool:
        statement = self._sentences[-1]
        return (
            self._is_said_again(figure, statement)
            or is_same_duration(figure, self._standing)
            or results_from(figure, self._standing, statement.words)
            or is_age_of(figure, statement.figures, self.evidence.today, statement.words)
            or self._is_age(figure, statement)
        )

    def _is_age(self, figure: Figure, statement: Statement) -> bool:
        scope = find_scope(figure, statement, self.folded, self.evidence)
        return is_age_in_data(figure, statement, self.folded, self.evidence, replace(scope, sources=statement.cited))

    def _is_said_again(self, figure: Figure, statement: Statement) -> bool:
        part, words = self._given.get(figure.key, (None, set()))
        return part == self._part or not words.isdisjoint(stems_of(statement.words) if words else ())

    def _results_across(self, figure: Figure) -> bool:
        statement = self._sentences[-1]
        near = [each for each in self._standing if each.start != figure.start][-_MOST_NEAR:]
        if figure.kind is Kind.PERCENT:
            near = [each for each in near if each.start >= statement.span.start]
        scope = find_scope(figure, statement, self.folded, self.evidence)
        far = [*self._above[-_MOST_ABOVE:], *self.facts.figures_of(self._sentences)]
        far += [each for one in near for each in self.evidence.find_counts(one, scope)]
        return results_across(figure, near, far)


def read_otherwise(figure: Figure, statement: Statement, folded: str) -> list[Figure]:
    """Read a bare number in a unit of its sentence: « 812 minutes, dont 600 pour NEARVITY », « 36 à 39,00 EUR »."""
    if figure.kind is Kind.MONEY and folded[figure.start : figure.end].isdigit():
        return [replace(figure, kind=Kind.COUNT, unit="")]
    if figure.kind is not Kind.COUNT or (figure.quantum >= 1 and _counts_things(figure, statement)):
        return []
    if figure.quantum < 1:
        # In a formula, amounts go without their currency.
        return [
            replace(figure, kind=Kind.MONEY, unit="EUR"),
            replace(figure, kind=Kind.PERCENT),
            replace(figure, kind=Kind.POINTS),
        ]
    others = [with_unit_of(figure, each) for each in statement.figures if each.kind in _WITH_UNITS]
    if "minutes" in statement.words:
        seconds = tuple(60 * value for value in figure.values)
        others.append(replace(figure, kind=Kind.DURATION, unit="seconds", values=seconds, quantum=Decimal(60)))
    return list(dict.fromkeys(others))


def _counts_things(figure: Figure, statement: Statement) -> bool:
    """Return whether a noun follows that is no participle and no platform (« les 82 d'EmotionsCare »)."""
    is_platform = any(0 <= named.start - figure.end <= _REACH for named in statement.platforms)
    return bool(figure.noun) and not is_platform and not _NO_THING.fullmatch(figure.noun)
