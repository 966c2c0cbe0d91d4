"""What could not be verified, written into the report: beside the figure, or, of many, in one list at its end."""

from typing import Final

from workers.executive_run.verification.model import Fault, FaultKind, Verification

MOST_MARKS: Final = 5
"""More of them in the text, and nobody reads it."""

LIST_TITLE: Final = "Chiffres à vérifier"
_MARKED: Final = frozenset(
    {FaultKind.UNVERIFIED, FaultKind.CONTRADICTED, FaultKind.UNKNOWN_REFERENCE, FaultKind.UNKNOWN_CITATION}
)
_UNVERIFIED: Final = "non vérifié"
_UNKNOWN_SOURCE: Final = "source inconnue"


def mark(verification: Verification) -> str:
    """Return the report with its unverified and contradicted figures and its unknown sources marked."""
    text = verification.text
    marked = [fault for fault in verification.faults if fault.kind in _MARKED and fault.end is not None]
    marked = list({fault.end: fault for fault in marked}.values())
    if len(marked) > MOST_MARKS:
        return f"{text}\n\n## {LIST_TITLE}\n\n" + "\n".join(map(_as_item, marked))
    for fault in sorted(marked, key=lambda each: each.end or 0, reverse=True):
        assert fault.end is not None
        text = f"{text[: fault.end]} ({_words(fault)}){text[fault.end :]}"
    return text


def _words(fault: Fault) -> str:
    if fault.kind is FaultKind.UNKNOWN_CITATION:
        return _UNKNOWN_SOURCE
    return _UNVERIFIED if fault.ours is None else f"nos données : {fault.ours}"


def _as_item(fault: Fault) -> str:
    where = f" ({fault.section})" if fault.section else ""
    return f"- {fault.quote}{where} : {_words(fault)}"
