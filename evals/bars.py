"""What is measured, and the bar that each measure must reach."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from evals.answers import grounds_for, write_all, write_answer
from evals.corpus import Report, read_corpus
from evals.digits import FACT, PROPOSED, Change, change_digits
from evals.spoilers import HARMLESS, MEASURED, Spoiled, spoil_form, spoil_substance
from evals.titles import write_variants
from workers.executive_run.verification.form import find_form_faults, repair
from workers.executive_run.verification.model import Fault, Grounds
from workers.executive_run.verification.verify import verify

_PERCENT: Final = 100
_FLAGGED_PERCENT: Final = 1
_ASKED_PERCENT: Final = 10
_CAUGHT_PERCENT: Final = 75
_MILLISECONDS: Final = 50


@dataclass(frozen=True)
class Row:
    """One measure: how many of how many, and the bar."""

    what: str
    count: int
    total: int
    bar: str
    holds: bool
    misses: tuple[str, ...] = field(default=(), compare=False)

    @property
    def percent(self) -> float:
        """Return the share in percent."""
        return _PERCENT * self.count / self.total if self.total else 0.0


def measure_good() -> Iterator[Row]:
    """Hold every generated good answer, and the harmless sentences and titles, against the data."""
    troubled = [
        (f"{name}: {faults[0].sentence}")
        for name, grounds, text in write_all()
        if (faults := verify(text, grounds).faults)
    ]
    yield _none("generated good answers troubled", troubled, sum(1 for _ in write_all()))
    grounds = grounds_for("QUALITY_AUDIT")
    harmless = [text for text in HARMLESS if verify(write_answer(grounds, s0=text), grounds).faults]
    yield _none("harmless sentences troubled", harmless, len(HARMLESS))
    variants = list(write_variants())
    changed = [
        name
        for name, given, text, plain in variants
        if repair(text, given.run_type).text != repair(plain, given.run_type).text or _has_form_faults(text, given)
    ]
    yield _none("harmless variants of titles troubled", changed, len(variants))


def measure_corpus(reports: Iterable[Report] | None = None) -> Iterator[Row]:
    """Count what is flagged of the honest reports, and which of them would be asked again."""
    chosen = list(reports or read_corpus())
    checked = [(report, verify(report.text, report.grounds)) for report in chosen]
    flagged = [f"{report.name}: {fault.sentence}" for report, found in checked for fault in found.faults]
    figures = sum(found.figures for _, found in checked)
    share = _PERCENT * len(flagged) / figures
    yield Row(
        "figures of honest reports flagged", len(flagged), figures, "≤ 1 %", share <= _FLAGGED_PERCENT, tuple(flagged)
    )
    asked = [report.name for report, found in checked if found.is_worth_asking_again]
    share = _PERCENT * len(asked) / len(checked)
    yield Row("honest reports asked again", len(asked), len(checked), "≤ 10 %", share <= _ASKED_PERCENT, tuple(asked))


def measure_spoiled(*, types_each: int = 4, every: int = 1) -> Iterator[Row]:
    """Look for every sort of spoiled answer, and measure the sorts of which not all can be caught."""
    yield from _caught([*spoil_form(every=every), *spoil_substance(types_each=types_each)], "all")
    yield from _caught(spoil_substance(MEASURED, types_each=types_each), "measured")


def measure_digits(*, every: int = 1) -> Iterator[Row]:
    """Change one digit of each figure of the corpus."""
    changes = [change for report in read_corpus() for change in change_digits(report, every=every)]
    named = [change for change in changes if change.sort == FACT]
    yield _digits("one digit changed: names a fact", named, "all", _PERCENT)
    others = [change for change in changes if change.sort not in {FACT, PROPOSED}]
    yield _digits("one digit changed: other findings", others, "≥ 75 %", _CAUGHT_PERCENT)
    for sort in sorted({change.sort for change in others}):
        same = [change for change in others if change.sort == sort]
        yield _digits(f"  of them: {sort}", same, "measured", 0)
    proposed = [change for change in changes if change.sort == PROPOSED]
    yield _digits("one digit changed: proposals", proposed, "measured", 0)


def measure_time(reports: Iterable[Report] | None = None) -> Iterator[Row]:
    """Time the verification of each honest report; its data are read once for all answers to one question."""
    slowest, name = 0.0, ""
    for report in reports or read_corpus():
        took = min(_time(report) for _ in range(3))
        slowest, name = max((slowest, name), (took, report.name))
    ms = round(1000 * slowest)
    yield Row(f"milliseconds for the slowest report ({name})", ms, 0, f"< {_MILLISECONDS} ms", ms < _MILLISECONDS)


def _time(report: Report) -> float:
    # Of the processor, not of the clock: others use the machine too.
    begun = time.process_time()
    verify(report.text, report.grounds)
    return time.process_time() - begun


def _caught(spoiled: Iterable[Spoiled], bar: str) -> Iterator[Row]:
    total: Counter[str] = Counter()
    missed: dict[str, list[str]] = {}
    for each in spoiled:
        total[each.sort] += 1
        found = {fault.kind for fault in _find(each)}
        if not found & each.kinds:
            missed.setdefault(each.sort, []).append(f"{each.grounds.run_type.key}: …{each.text[-120:]!r}")
    for sort, count in total.items():
        misses = tuple(missed.get(sort, ()))
        yield Row(sort, count - len(misses), count, bar, bar != "all" or not misses, misses)


def _has_form_faults(text: str, grounds: Grounds) -> bool:
    return bool(find_form_faults(repair(text, grounds.run_type), grounds.run_type))


def _find(spoiled: Spoiled) -> Iterable[Fault]:
    if not spoiled.is_of_form:
        return verify(spoiled.text, spoiled.grounds).faults
    run_type = spoiled.grounds.run_type
    return find_form_faults(repair(spoiled.text, run_type), run_type)


def _digits(what: str, changes: list[Change], bar: str, percent: int) -> Row:
    misses = tuple(
        (f"{each.report}: {each.before} → {each.after} | {each.sentence}") for each in changes if not each.is_caught
    )
    caught = len(changes) - len(misses)
    return Row(what, caught, len(changes), bar, caught * _PERCENT >= percent * len(changes), misses)


def _none(what: str, troubled: list[str], total: int) -> Row:
    return Row(what, len(troubled), total, "none", not troubled, tuple(troubled))
