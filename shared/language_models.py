"""Which models may write, in which order, and what each costs: everything here is dated, and will change.

Makers retire a model, or route its name to another one, within days. So a tier names candidates from more than
one maker, ``LLM_MODELS_<TIER>`` replaces its list, and a model that the gateway no longer has is passed over.
Read in November 2026 from the makers' own pages: Gemini 2.5 ends on 1 December 2026 (its name is then answered by
3.8-flash and 3.5-flash-lite at their price, or refused, as the reseller decides).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.run_types.model import ModelTier

CANDIDATES: Final[Mapping[ModelTier, tuple[str, ...]]] = MappingProxyType(
    {
        ModelTier.DEFAULT: (
            "google/gemini-3.8-flash",
            "google/gemini-3.6-flash",
            "openai/gpt-5.6-terra",
            "google/gemini-3-flash-preview",
        ),
        ModelTier.REASONING: (
            "google/gemini-3.8-flash",
            "google/gemini-3.1-pro-preview",
            "openai/gpt-5.6-terra",
            "openai/gpt-5.2",
            "google/gemini-2.5-pro",
        ),
        ModelTier.SUMMARY: (
            "google/gemini-3.1-flash-lite",
            "google/gemini-3.6-flash",
            "google/gemini-2.5-flash",
        ),
        ModelTier.CODING: (
            "openai/gpt-5.6-terra",
            "openai/gpt-5.2",
            "google/gemini-3.8-flash",
            "google/gemini-3.1-pro-preview",
        ),
    }
)
"""The models of each tier, the preferred one first."""


class Thinking(NamedTuple):
    """How much a model may think before it writes, and the room in tokens for it: thoughts count as output."""

    effort: str
    tokens: int


THINKING: Final[Mapping[ModelTier, Thinking]] = MappingProxyType(
    {
        ModelTier.DEFAULT: Thinking("low", 4_000),
        ModelTier.REASONING: Thinking("medium", 8_000),
        ModelTier.SUMMARY: Thinking("low", 2_000),
        ModelTier.CODING: Thinking("medium", 8_000),
    }
)
"""What each tier's models are asked for, if they accept it; ``LLM_MAX_TOKENS``, for the text, is added to it."""


class Price(NamedTuple):
    """Dollars per million tokens, and per call."""

    fresh: Decimal
    cached: Decimal
    output: Decimal
    per_call: Decimal = Decimal(0)
    """Dollars that a call costs regardless of its length, such as a search."""

    @property
    def is_free(self) -> bool:
        """Return whether nothing is charged."""
        return not any(self)


def _price(fresh: str, cached: str, output: str) -> Price:
    return Price(Decimal(fresh), Decimal(cached), Decimal(output))


PRICES: Final[Mapping[str, Price]] = MappingProxyType(
    {
        # Half of this until 31 December 2026: an estimate should err on the high side.
        "google/gemini-3.8-flash": _price("1.50", "0.15", "7.50"),
        "google/gemini-3.6-flash": _price("1.50", "0.15", "7.50"),
        "google/gemini-3.5-flash-lite": _price("0.30", "0.03", "2.50"),
        "google/gemini-3.1-pro-preview": _price("2.00", "0.20", "12.00"),
        "google/gemini-3.1-flash-lite": _price("0.25", "0.025", "1.50"),
        "google/gemini-3-flash-preview": _price("0.50", "0.05", "3.00"),
        "google/gemini-2.5-pro": _price("1.25", "0.125", "10.00"),
        "google/gemini-2.5-flash": _price("0.30", "0.03", "2.50"),
        "openai/gpt-5.6-terra": _price("2.00", "0.20", "12.00"),
        "openai/gpt-5.2": _price("1.75", "0.175", "14.00"),
    }
)
"""The makers' list prices for text, prompts under 200,000 tokens; read in November 2026."""

DEAREST: Final = max(PRICES.values(), key=lambda price: price.output)
"""What an unknown model is assumed to cost: an estimate should err on the high side."""

_FREE: Final = Price(Decimal(0), Decimal(0), Decimal(0))
_FREE_SUFFIX: Final = ":free"  # OpenRouter's suffix for models that it does not charge for
# A snapshot counts as its model: gpt-5.2-2025-12-11, gemini-2.5-pro-001, gemini-2.5-pro-preview-05-06, …-latest.
_SNAPSHOT: Final = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{6,8}|\d{3}|latest)$")


def find_price(model: str) -> Price:
    """Return the list price of a model; zero if its name says that it is free; the highest if it is unknown."""
    if model.endswith(_FREE_SUFFIX):
        return _FREE
    return PRICES.get(model) or _PRICES_BY_NAME.get(_bare_name(model), DEAREST)


def is_same_model(asked: str, answered: str) -> bool:
    """Return whether two ids name one model, whatever its maker's prefix, its snapshot or its variant."""
    return _bare_name(asked) == _bare_name(answered)


def _bare_name(model: str) -> str:
    return _SNAPSHOT.sub("", model.rpartition("/")[2].partition(":")[0].lower())


_PRICES_BY_NAME: Final = {_bare_name(model): price for model, price in PRICES.items()}
