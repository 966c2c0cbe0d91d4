"""What a report is held against, and what is found: the types that the rules share."""

from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime, Field

from shared.facts import Fact
from shared.findings import Gap
from shared.frozen import FrozenModel
from shared.registry import RunType
from workers.ports import Platform

QUOTE_CHARS: Final = 200


class FaultKind(StrEnum):
    """What can be wrong with a report. Stored in ``hq.run_evidence``: a name never changes its meaning."""

    NOT_A_REPORT = "not_a_report"
    WRONG_LANGUAGE = "wrong_language"
    MISSING_SECTION = "missing_section"
    DOUBLED_SECTION = "doubled_section"
    WRONG_ORDER = "wrong_order"
    TOO_LONG = "too_long"
    CUT_SHORT = "cut_short"
    LEAKED = "leaked"
    ACTION_CLAIMED = "action_claimed"
    GAP_DENIED = "gap_denied"
    JUDGED_OVER_GAP = "judged_over_gap"
    CONFLICT_HIDDEN = "conflict_hidden"
    INSTRUCTION_OBEYED = "instruction_obeyed"
    UNKNOWN_NAME = "unknown_name"
    UNKNOWN_CITATION = "unknown_citation"
    UNKNOWN_REFERENCE = "unknown_reference"
    CONTRADICTED = "contradicted"
    UNVERIFIED = "unverified"


SOFT: Final = frozenset(
    {
        FaultKind.UNKNOWN_CITATION,
        FaultKind.UNKNOWN_REFERENCE,
        FaultKind.CONTRADICTED,
        FaultKind.UNVERIFIED,
    }
)
"""Faults with which a report may still be stored, once they are marked; any other is hard."""

UNVERIFIED_BEFORE_ASKING: Final = 3
"""How many unverified figures are worth asking the model again."""


class NumberedSource(FrozenModel):
    """One block of data of the prompt, as the report cites it: ``[S1]``."""

    number: int
    source: str = Field(default="", description="Registry name of the source; empty for the calculations.")
    label: str
    text: str = Field(description="Exactly what the model was shown.")
    facts: tuple[Fact, ...] = ()
    platform_key: str | None = None
    read_at: AwareDatetime
    url: str | None = None
    period: str | None = Field(default=None, description="French: the time that it covers.")


class Conflict(FrozenModel):
    """One fact of which two sources give different values for about the same moment."""

    facts: tuple[Fact, ...] = Field(min_length=2, description="The same name, subject and unit; one for each source.")
    sentence: str = Field(description="French: both values and where each comes from.")


class Grounds(FrozenModel):
    """All that a report may rest on."""

    run_type: RunType
    platform_key: str | None = Field(description="None: the whole company.")
    platforms: tuple[Platform, ...]
    sources: tuple[NumberedSource, ...]
    calculations: NumberedSource | None = Field(description="« Calculs du QG », with a number of its own.")
    conflicts: tuple[Conflict, ...] = Field(default=(), description="The report must name each, or leave it alone.")
    gaps: tuple[Gap, ...]
    context: str = Field(default="", description="The caller's context, as the model was shown it.")
    memory: str = Field(default="", description="What the report before kept; never ground for a figure.")
    now: AwareDatetime


class Fault(FrozenModel):
    """One thing that is wrong."""

    kind: FaultKind
    section: str | None = Field(description="Title of the section; None: the report as a whole.")
    quote: str = Field(description="The words at fault, at most `QUOTE_CHARS`.")
    sentence: str = Field(
        description="French: what is wrong and what to write instead; read by the model and a person."
    )
    start: int | None = Field(default=None, description="Where the quote begins in the repaired text.")
    end: int | None = None
    ours: str | None = Field(default=None, description="What our data say, as a French reader writes it.")

    @property
    def is_hard(self) -> bool:
        """Return whether no report with this fault may be stored. What this list does not know is hard."""
        return self.kind not in SOFT


class Verification(FrozenModel):
    """What was found in a report."""

    text: str = Field(description="The report, its form repaired, without any mark.")
    faults: tuple[Fault, ...] = ()
    figures: int = Field(description="How many figures were checked.")

    @property
    def is_usable(self) -> bool:
        """Return whether the report may be stored, marked where needed."""
        return not any(fault.is_hard for fault in self.faults)

    @property
    def is_worth_asking_again(self) -> bool:
        """Return whether the model should be asked once more, with the list of faults."""
        unverified = self.count(FaultKind.UNVERIFIED)
        return unverified >= UNVERIFIED_BEFORE_ASKING or any(f.kind is not FaultKind.UNVERIFIED for f in self.faults)

    @property
    def rank(self) -> tuple[int, int, int]:
        """Return how bad the report is; the smallest is the best."""
        hard = sum(fault.is_hard for fault in self.faults)
        return hard, self.count(FaultKind.CONTRADICTED), len(self.faults)

    def count(self, kind: FaultKind) -> int:
        """Count the faults of a kind."""
        return sum(fault.kind is kind for fault in self.faults)
