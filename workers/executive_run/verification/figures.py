"""Every figure of a report against the data: rules (a) to (d) and (f).

(a) What names a fact must equal it, to its own precision, with its unit, sign and direction.
(b) Any other figure of a finding stands in the source that its sentence cites, in the data of the platform it names or
in our calculations, or follows from what the sentence shows (`derived_figures.py`).
(c) In a proposal, what is marked as an aim, an assumption or an estimate may be the model's own; its dates lie ahead.
(d), (f) Norms, windows and numbering are no figures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.executive_run.verification.ages import ends_of_periods, is_age_of
from workers.executive_run.verification.binding import Binding, bind
from workers.executive_run.verification.derived_figures import DerivedFigures, read_otherwise
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.facts import FactCheck, Outcome
from workers.executive_run.verification.figure import Figure, Key, Kind
from workers.executive_run.verification.model import Fault, FaultKind, NumberedSource
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement
from workers.executive_run.verification.structure import is_structure, is_window
from workers.executive_run.verification.subjects import find_scope

_UNCHECKED: Final = frozenset({Kind.STRUCTURE, Kind.CITATION, Kind.VERSION, Kind.REFERENCE, Kind.SCORE})
_COUNTED: Final = re.compile(r"(?:[\s,(*]|\[s\d+\])*(?:il y a|soit|depuis)\s\**")
_ANNOUNCED: Final = re.compile(
    r"hypothes|objectif|cible|scenario|propos|prevu|estim|seuil|serai|adapter|appliquer|plafonn"
)
_UNTIL: Final = re.compile(r"d'ici|\bavant|jusqu'a|\bfin\b|echeance|cloture|\bterme|termine|acheve|\bau\s\**$")
_SHORTEST_COPY: Final = 20
_STEM: Final = 6
_CURRENT: Final = re.compile(r"\bactuel|aujourd'hui|a ce jour|constate")


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking the figures of a report."""

    faults: tuple[Fault, ...]
    figures: int


def check_figures(text: str, statements: Sequence[Statement], evidence: Evidence) -> Checked:
    """Check every figure of a repaired report."""
    checker = _Checker(text, fold(text), evidence)
    faults: list[Fault] = []
    figures = 0
    for statement in statements:
        found, count = checker.check(statement)
        faults += found
        figures += count
    return Checked(tuple(faults), figures)


def _is_akin(noun: str, other: str) -> bool:
    """Return whether two nouns count the same: the same word, or one made of the other (« abonné », « abonnement »)."""
    return noun == other or noun[:_STEM] == other[:_STEM]


def _find_copies(folded: str, calculations: NumberedSource | None) -> list[tuple[int, int]]:
    """Return where the report repeats a line of our calculations word for word: what we wrote is not to be judged."""
    lines = fold(calculations.text).split("\n") if calculations else []
    copies = (line.strip(" -.;") for line in lines)
    return [
        (found.start(), found.end())
        for line in copies
        if len(line) >= _SHORTEST_COPY
        for found in re.finditer(re.escape(line), folded)
    ]


class _Checker:
    def __init__(self, text: str, folded: str, evidence: Evidence) -> None:
        self._text = text
        self._folded = folded
        self._evidence = evidence
        self._facts = FactCheck(evidence, folded)
        self._copied = _find_copies(folded, evidence.grounds.calculations)
        self._today = evidence.today.isoformat()
        self._ends = {end.isoformat() for end in ends_of_periods(evidence.today)}
        self._derived = DerivedFigures(evidence, self._facts, folded)
        self._announced: set[Key] = set()

    def check(self, statement: Statement) -> tuple[list[Fault], int]:
        """Return the faults of a statement and how many figures it has."""
        self._derived.enter(statement)
        bindings = {binding.figure.start: binding for binding in bind(statement, self._folded)}
        faults = [
            fault
            for fault in self._facts.check_directions(statement, self._text)
            if not self._is_copied(fault.start or 0)
        ]
        left: list[Figure] = []
        count = 0
        for figure in statement.figures:
            if figure.kind in _UNCHECKED:
                continue
            binding = bindings.get(figure.start)
            if is_window(figure, self._folded, statement):
                continue
            if is_structure(figure, self._folded, statement) and not (binding and binding.is_firm):
                self._derived.add([figure])
                continue
            count += 1
            if self._is_copied(figure.start):
                self._derived.add([figure])
                continue
            outcome = self._judge(figure, binding, statement)
            if outcome.ours is not None:
                faults.append(self._contradicted(figure, statement, outcome.ours))
            elif outcome.stands:
                self._derived.add([figure, *read_otherwise(figure, statement, self._folded)])
            else:
                left.append(figure)
        faults += [self._unverified(each, statement) for each in self._derived.find_underived(left)]
        return faults, count

    def _is_copied(self, place: int) -> bool:
        return any(start <= place < end for start, end in self._copied)

    def _judge(self, figure: Figure, binding: Binding | None, statement: Statement) -> Outcome:
        if statement.is_proposed and not (binding and binding.is_firm and self._is_current(figure, statement)):
            if figure.kind in {Kind.MONEY, Kind.PERCENT}:
                self._announced.add(figure.key)
            return Outcome(stands=figure.kind is not Kind.DATE or self._is_lawful_date(figure, statement))
        if statement.asks_for_aims and binding is None and figure.kind is not Kind.DATE:
            return Outcome(stands=True)
        if self._is_counted_from(figure, statement):
            return Outcome(stands=True)
        if binding is not None:
            outcome = self._facts.judge(binding, statement)
            if outcome is not None:
                return outcome
        elif (wrong := self._facts.find_wrong_unit(figure, statement)) is not None:
            return wrong
        return self._look_up(figure, statement)

    def _is_counted_from(self, figure: Figure, statement: Statement) -> bool:
        """Return whether a duration says again how far off the day before it is: « le 2 décembre, il y a 12 jours »."""
        days = [each for each in statement.figures if each.kind is Kind.DATE and each.end <= figure.start]
        if figure.kind is not Kind.DURATION or not days:
            return False
        between = self._folded[days[-1].end : figure.start]
        today = self._evidence.today
        return bool(_COUNTED.fullmatch(between)) and is_age_of(figure, days[-1:], today, statement.words)

    def _is_current(self, figure: Figure, statement: Statement) -> bool:
        """Return whether a figure of a proposal is what is, not what shall be: « de X à Y », « MRR actuel »."""
        before = self._folded[max(statement.span.start, figure.start - 40) : figure.start]
        after = self._folded[figure.end : figure.end + 8]
        is_origin = re.search(r"\b(?:de|d')\s?\**$", before) and re.match(r"\**\s(?:a|vers)\s\**[\d]", after)
        return bool(is_origin or (_CURRENT.search(before) and figure.kind is not Kind.DATE))

    def _look_up(self, figure: Figure, statement: Statement) -> Outcome:
        """Apply rule (b)."""
        if figure.kind is Kind.DATE:
            return Outcome(stands=self._is_lawful_date(figure, statement))
        if figure.kind is Kind.TIME:
            known = self._evidence.has_mark(
                Kind.TIME, figure.unit, find_scope(figure, statement, self._folded, self._evidence)
            )
            return Outcome(stands=statement.part.section.proposes or known)
        scope = find_scope(figure, statement, self._folded, self._evidence)
        found = self._evidence.find(figure, scope)
        if figure.noun and figure.noun in self._evidence.nouns(scope):
            found = [entry for entry in found if not entry.noun or _is_akin(entry.noun, figure.noun)]
        if not found:
            readings = read_otherwise(figure, statement, self._folded)
            found = [entry for other in readings for entry in self._evidence.find(other, scope)]
        direction = self._facts.direction_of(figure, statement)
        opposite = [entry for entry in found if direction and entry.sign == -direction]
        if found and len(opposite) == len(found):
            sign = "\u2212" if direction > 0 else "+"
            return Outcome(stands=False, ours=sign + self._text[figure.start : figure.end].lstrip("+-\u2212"))
        is_announced = figure.key in self._announced and self._is_announced_again(statement)
        return Outcome(stands=bool(found) or is_announced)

    def _is_announced_again(self, statement: Statement) -> bool:
        """Return whether a sentence says of an aim or assumption of before that it is one."""
        return bool(_ANNOUNCED.search(self._folded, statement.line.start, statement.span.end))

    def _is_lawful_date(self, figure: Figure, statement: Statement) -> bool:
        unit = figure.unit
        if self._evidence.has_mark(Kind.DATE, unit, find_scope(figure, statement, self._folded, self._evidence)):
            return True
        before = self._folded[statement.span.start : figure.start]
        if unit.replace("*", self._today[:4]) in self._ends and _UNTIL.search(before):
            return True
        year = int(self._today[:4])
        if len(unit) == 4:  # noqa: PLR2004 - a year alone
            return abs(int(unit) - year) <= 1
        if not statement.part.section.proposes:
            return False
        known = unit if not unit.startswith("*") else f"{year}{unit[1:]}"
        # A day without its year that has passed is next year's.
        return known >= self._today[: len(known)] or unit.startswith("*")

    def _contradicted(self, figure: Figure, statement: Statement, ours: str) -> Fault:
        quote = self._text[figure.start : figure.end]
        sentence = (
            f"« {self._quote(statement)} » : {quote} contredit les données ({ours}). Écrivez la valeur des données."
        )
        return statement.fault(
            FaultKind.CONTRADICTED, figure.start, figure.end, quote=quote, sentence=sentence, ours=ours
        )

    def _unverified(self, figure: Figure, statement: Statement) -> Fault:
        quote = self._text[figure.start : figure.end]
        where = f" [S{min(statement.citations)}]" if statement.citations else ""
        sentence = (
            f"« {self._quote(statement)} » : {quote} ne figure pas dans les données{where}. Retirez ce chiffre, "
            f"citez sa "
            "source, montrez le calcul ou dites que c'est une hypothèse."
        )
        return statement.fault(FaultKind.UNVERIFIED, figure.start, figure.end, quote=quote, sentence=sentence)

    def _quote(self, statement: Statement) -> str:
        words = " ".join(self._text[statement.span.start : statement.span.end].split()).lstrip("-*• ")
        return words if len(words) <= 120 else f"{words[:119]}…"  # noqa: PLR2004
