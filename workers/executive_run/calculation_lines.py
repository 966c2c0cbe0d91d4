"""What every rule of « Calculs du QG » is written with: a line, its facts, and rounded shares and changes."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

from shared.fact_labels import format_difference
from shared.facts import Fact, FactName, make_facts
from shared.french import format_change, format_percent

CALCULATIONS_SOURCE: Final = "calculations"
"""The source of the facts that are computed here."""
MOST_TIMES: Final = 10**9
"""A ratio above it is not stated: it says nothing, and may have more digits than can be rounded."""


class Line(NamedTuple):
    """One calculation, and the facts that it states."""

    text: str
    facts: tuple[Fact, ...] = ()


def make(
    values: Mapping[FactName, Decimal | float | None], of: Iterable[Fact], currency: str | None = None
) -> tuple[Fact, ...]:
    """Make facts of the company; they hold for the oldest moment among those that they were computed from."""
    return make_facts(values, source=CALCULATIONS_SOURCE, at=min(fact.at for fact in of), currency=currency)


def round_half_up(value: Decimal, decimals: int) -> Decimal:
    """Round as people do on paper."""
    return value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def format_share(part: Decimal, whole: Decimal) -> str:
    """Return « 26,7 % »."""
    return format_percent(round_half_up(100 * part / whole, 1), 1)


def format_change_of(difference: Decimal, before: Decimal, currency: str) -> str:
    """Return « +46,46 EUR (+1,5 %) »."""
    return f"{format_difference(difference, currency)}{format_percent_of(difference, before)}"


def format_percent_of(difference: Decimal, before: Decimal) -> str:
    """Return « (+1,5 %) » after a space, or nothing where there was next to nothing before."""
    if before <= 0 or abs(difference / before) > MOST_TIMES:
        return ""
    return f" ({format_change(round_half_up(100 * difference / before, 1), 1)} %)"
