"""What the HQ's own database gives to one report, read in one call: earlier facts, the report before, host tables."""

from decimal import Decimal

from pydantic import AwareDatetime, Field, JsonValue

from shared.facts import Lookback
from shared.frozen import FrozenModel


class EarlierFact(FrozenModel):
    """What a fact was at an earlier moment."""

    lookback: Lookback
    name: str
    subject: str | None = Field(description="Key of a platform; None: the whole company.")
    value: Decimal
    unit: str
    source: str
    scope: str = Field(description="A fingerprint of the set of platforms that it was counted on; empty: of no set.")
    at: AwareDatetime = Field(description="When it was last seen so, before the moment.")


class PastReport(FrozenModel):
    """The latest report of the same type and scope that contradicts nothing, and what its author was shown."""

    completed_at: AwareDatetime
    text: str
    before: str | None = Field(default=None, description="The report before it, of which it was shown a part.")
    superseded: bool = Field(default=False, description="A later report contradicts; it was shown this one already.")
    doubted: tuple[str, ...] = Field(default=(), description="Its words that could not be verified, as quoted.")


class ReportInputs(FrozenModel):
    """All that is read for one report; what could not be read is absent, and its source says so."""

    earlier: tuple[EarlierFact, ...] = ()
    past: PastReport | None = None
    tables: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Registry name of a source → what its tables hold: counts, sums, dates; None: there is no table.",
    )
