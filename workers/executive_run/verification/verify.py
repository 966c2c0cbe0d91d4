"""The entry point: a report and its grounds in, the repaired report and its faults out."""

from typing import Final

from workers.executive_run.verification.actions import find_claimed_actions
from workers.executive_run.verification.colours import find_wrong_colours
from workers.executive_run.verification.conflicts import find_hidden_conflicts
from workers.executive_run.verification.denials import find_denied_facts
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.figures import check_figures
from workers.executive_run.verification.form import find_form_faults, repair
from workers.executive_run.verification.gaps import find_denied_gaps
from workers.executive_run.verification.injections import find_injections
from workers.executive_run.verification.judgements import find_judgements
from workers.executive_run.verification.marks import mark
from workers.executive_run.verification.model import Fault, FaultKind, Grounds, Verification
from workers.executive_run.verification.people import find_unknown_names
from workers.executive_run.verification.references import check_references
from workers.executive_run.verification.statements import read_statements

__all__ = ["mark", "verify"]

_MOST_CHARS: Final = 15_000
"""Of a longer text only the form is judged: it is far too long for a report, whatever it says."""

_SUBSTANCE: Final = (
    check_references,
    find_claimed_actions,
    find_denied_gaps,
    find_denied_facts,
    find_judgements,
    find_wrong_colours,
    find_hidden_conflicts,
    find_injections,
    find_unknown_names,
)
_NO_REPORT: Final = frozenset({FaultKind.NOT_A_REPORT, FaultKind.WRONG_LANGUAGE})


def verify(text: str, grounds: Grounds) -> Verification:
    """Repair the form of a report and find its faults.

    Cost: under 50 ms for a report of 1,200 words; linear in its length.
    """
    shape = repair(text, grounds.run_type)
    faults = find_form_faults(shape, grounds.run_type)
    whole = any(fault.kind in _NO_REPORT and fault.section is None for fault in faults)
    if whole or len(shape.text) > _MOST_CHARS:
        return Verification(text=shape.text, faults=tuple(faults), figures=0)
    evidence = Evidence(grounds)
    statements = read_statements(shape, evidence.names)
    checked = check_figures(shape.text, statements, evidence)
    faults += checked.faults
    for find in _SUBSTANCE:
        faults += find(shape.text, statements, evidence)
    return Verification(text=shape.text, faults=tuple(_in_order(faults)), figures=checked.figures)


def _in_order(faults: list[Fault]) -> list[Fault]:
    """Sort the gravest first, then as they stand in the text."""
    return sorted(faults, key=lambda fault: (not fault.is_hard, fault.start if fault.start is not None else -1))
