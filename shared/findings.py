"""What a source of data returned, and what it could not read.

A report is honest when each piece of data has a source and each missing piece is named.
So a source returns values, not exceptions: a ``Finding`` for what was read, a ``Gap`` for what was not.
"""

from enum import StrEnum

from pydantic import AwareDatetime, Field, JsonValue

from shared.facts import Fact
from shared.frozen import FrozenModel


class GapReason(StrEnum):
    """Why data are missing."""

    NOT_CONFIGURED = "not_configured"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    NOT_IMPLEMENTED = "not_implemented"
    EMPTY = "empty"


class Finding(FrozenModel):
    """Something that a source returned, as it goes into the prompt and into ``hq.run_evidence``."""

    source: str = Field(description="Registry name of the source, for instance 'github'.")
    label: str = Field(description="French provenance label, for instance 'GitHub · EmotionsCare'.")
    text: str = Field(description="French text for the prompt. Untrusted: it is bounded and fenced there.")
    data: dict[str, JsonValue] = Field(default_factory=dict, description="The figures behind the text.")
    facts: tuple[Fact, ...] = Field(default=(), description="What our code computed from it, in units of their own.")
    url: str | None = Field(default=None, description="Where a person can check it.")
    period: str | None = Field(default=None, description="French: the time that it covers, as « 30 derniers jours ».")
    platform_key: str | None = Field(default=None, description="The one platform that it is about; None: all, or none.")
    read_at: AwareDatetime


class Gap(FrozenModel):
    """Something that a source was asked for and could not read."""

    source: str
    label: str
    reason: GapReason
    sentence: str = Field(description="French: what is missing, why, and what would bring it back.")


class Collected(FrozenModel):
    """Everything that one source, or all of them, returned."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Return the facts of all findings, in order."""
        return tuple(fact for finding in self.findings for fact in finding.facts)

    def __add__(self, other: "Collected") -> "Collected":
        """Join two collections, in order."""
        return Collected(findings=self.findings + other.findings, gaps=self.gaps + other.gaps)
