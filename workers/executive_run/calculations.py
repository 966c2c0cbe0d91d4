"""« Calculs du QG »: what a reader would compute from the facts, computed here instead of by the model. Pure.

A total over platforms needs all of them: one that could not be read means no total. Nothing is added, divided or
compared across currencies, and nothing is computed from what two sources contradict.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from pydantic import Field

from shared.facts import Fact
from shared.findings import Collected
from shared.frozen import FrozenModel
from workers.executive_run.calculation_lines import CALCULATIONS_SOURCE, Line
from workers.executive_run.derivations import derive
from workers.executive_run.fact_table import FactTable
from workers.executive_run.verification.model import Conflict
from workers.ports import Platform

CALCULATIONS_LABEL: Final = "Calculs du QG"
CALCULATIONS_CHARS: Final = 4_000
CALCULATIONS_LINES: Final = 60

__all__ = [
    "CALCULATIONS_CHARS",
    "CALCULATIONS_LABEL",
    "CALCULATIONS_LINES",
    "CALCULATIONS_SOURCE",
    "Calculations",
    "calculate",
]


class Calculations(FrozenModel):
    """What was computed, as one block of the prompt."""

    text: str = Field(description="French, one calculation per line, the most telling first; empty if there is none.")
    facts: tuple[Fact, ...] = Field(default=(), description="Those that the text states.")
    conflicts: tuple[Conflict, ...] = ()


def calculate(collected: Collected, *, platforms: Sequence[Platform], now: datetime) -> Calculations:
    """Compute totals, means, shares, counts, differences, ages and what is left of the period.

    Shape: at most 60 lines and 4,000 characters; what does not fit is left out with its facts.
    """
    table = FactTable(collected.findings)
    kept: list[Line] = []
    left = CALCULATIONS_CHARS
    for line in islice(derive(table, platforms, now), CALCULATIONS_LINES):
        left -= len(line.text) + len("- \n")
        if left < 0:
            break
        kept.append(line)
    return Calculations(
        text="\n".join(f"- {line.text}" for line in kept),
        facts=tuple(fact for line in kept for fact in line.facts),
        conflicts=table.conflicts,
    )
