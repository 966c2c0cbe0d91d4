"""What the model is asked, what it answers, and what it costs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from shared.frozen import FrozenModel
from shared.registry import ModelTier


class Message(FrozenModel):
    """One message of a chat."""

    role: str
    content: str


class Usage(FrozenModel):
    """What the paid calls of one attempt consumed. Amounts add up; a refused answer is billed too."""

    model: str = ""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_eur: Decimal = Decimal(0)
    search_cost_eur: Decimal = Field(default=Decimal(0), description="What of the cost was for searching the web.")
    estimated: bool = False

    def __add__(self, other: "Usage") -> "Usage":
        """Add two usages; the later one's model is kept, and one estimate makes the sum an estimate."""
        return Usage(
            model=other.model or self.model,
            calls=self.calls + other.calls,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            tokens_cached=self.tokens_cached + other.tokens_cached,
            tokens_reasoning=self.tokens_reasoning + other.tokens_reasoning,
            cost_eur=self.cost_eur + other.cost_eur,
            search_cost_eur=self.search_cost_eur + other.search_cost_eur,
            estimated=self.estimated or other.estimated,
        )


Bills = tuple[Usage, ...]
"""What an attempt has billed so far: one total per model, the one asked last at the end."""


class Answer(FrozenModel):
    """A usable answer of the model."""

    text: str
    model: str
    fallback_used: bool
    asked: str = Field(default="", description="The candidate that was asked, where the answer names another model.")

    @property
    def candidate(self) -> str:
        """Return the candidate that was asked."""
        return self.asked or self.model


class Meter:
    """Adds up what one attempt bills, model by model, so that the bill is known even if the attempt fails."""

    def __init__(self) -> None:
        self._bills: dict[str, Usage] = {}

    def add(self, usage: Usage) -> None:
        """Record the usage of one call."""
        # The model asked last comes last.
        self._bills[usage.model] = self._bills.pop(usage.model, Usage()) + usage

    @property
    def bills(self) -> Bills:
        """Return what each model has billed so far."""
        return tuple(self._bills.values())

    @property
    def total(self) -> Usage:
        """Return the sum, under the model that was asked last."""
        return sum(self._bills.values(), Usage())


@dataclass
class Retries:
    """What failed calls have cost the questions of one attempt, which share one budget."""

    calls: int = 0
    waited: timedelta = timedelta(0)
    last_call_at: float | None = None
    """The monotonic reading after which no further call starts; None: no limit."""


class Gateway(Protocol):
    """The model."""

    async def ask(
        self,
        tier: ModelTier,
        messages: Sequence[Message],
        *,
        meter: Meter,
        only: str | None = None,
        without: Collection[str] = (),
        retries: Retries | None = None,
    ) -> Answer:
        """Ask the tier's models in turn; raise a ``GatewayError`` when none gives a usable answer.

        ``only`` this candidate, or the tier's candidates ``without`` these: NoModelLeft when there is no other.
        """

    def breaker_states(self) -> Mapping[str, str]:
        """Return each model's circuit state: CLOSED, OPEN or HALF_OPEN."""
