"""What one call consumed: read from the answer where the vendor says it, estimated and marked so where not.

Vendors agree on tokens and differ on money. Seen in the field, all in dollars: ``usage.cost`` (OpenRouter,
Vercel), the same as an object with ``total_cost`` (Perplexity), ``usage.cost_usd_total`` (LLM Gateway),
``usage.cost_usd``, and the header ``x-litellm-response-cost``. ``usage.cost_eur`` needs no conversion.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from pydantic import JsonValue

from workers.ports import Usage


class Price(NamedTuple):
    """Dollars per million tokens."""

    fresh: Decimal
    cached: Decimal
    output: Decimal


PRICES: Final[Mapping[str, Price]] = {
    "google/gemini-3-flash-preview": Price(Decimal("0.50"), Decimal("0.05"), Decimal("3.00")),
    "google/gemini-2.5-pro": Price(Decimal("1.25"), Decimal("0.125"), Decimal("10.00")),
    "google/gemini-2.5-flash": Price(Decimal("0.30"), Decimal("0.03"), Decimal("2.50")),
    "openai/gpt-5.2": Price(Decimal("1.75"), Decimal("0.175"), Decimal("14.00")),
}
"""The makers' public list prices for text, prompts under 200,000 tokens; read in November 2026."""

DEAREST: Final = max(PRICES.values(), key=lambda price: price.output)
"""What an unknown model is taken to cost: an estimate that errs, errs upwards."""

_CHARS_PER_TOKEN: Final = 4
_MOST_TOKENS: Final = 1_000_000_000  # beyond these it is a fault of the gateway, taken as not said
_MOST_MONEY: Final = 10_000
_MILLION: Final = 1_000_000
_CENT_OF_A_CENT: Final = Decimal("0.000001")


def read_usage(
    body: JsonValue,
    headers: Mapping[str, str],
    *,
    model: str,
    eur_per_usd: Decimal,
    prompt_chars: int,
    answer_chars: int,
    price: Price | None = None,
) -> Usage:
    """Read what a call consumed from its answer.

    Without any token count, the tokens are estimated from the lengths; without a cost, it is from the tokens, at
    ``price`` or the one listed for the model.
    """
    told = _field(body, "usage")
    tokens_in = _count(told, "prompt_tokens") or _count(told, "input_tokens")
    tokens_out = _count(told, "completion_tokens") or _count(told, "output_tokens")
    # Google's own endpoint counts thoughts in the total alone, though it bills them as output.
    thoughts = max(0, _count(told, "total_tokens") - tokens_in - tokens_out)
    guessed = not tokens_in and not tokens_out
    if guessed:
        tokens_in, tokens_out, thoughts = (
            prompt_chars // _CHARS_PER_TOKEN,
            answer_chars // _CHARS_PER_TOKEN,
            0,
        )
    usage = Usage(
        model=model,
        calls=1,
        tokens_in=tokens_in,
        tokens_out=tokens_out + thoughts,
        tokens_cached=min(_count(_field(told, "prompt_tokens_details"), "cached_tokens"), tokens_in),
        tokens_reasoning=_count(_field(told, "completion_tokens_details"), "reasoning_tokens") or thoughts,
    )
    cost_eur = _read_cost(told, headers, eur_per_usd)
    if cost_eur is None:
        cost_eur = _estimate_cost(usage, price or PRICES.get(model, DEAREST), eur_per_usd)
        return usage.model_copy(update={"cost_eur": cost_eur, "estimated": True})
    return usage.model_copy(update={"cost_eur": cost_eur, "estimated": guessed})


def _estimate_cost(usage: Usage, price: Price, eur_per_usd: Decimal) -> Decimal:
    dollars = (
        (usage.tokens_in - usage.tokens_cached) * price.fresh
        + usage.tokens_cached * price.cached
        + usage.tokens_out * price.output
    ) / _MILLION
    return (dollars * eur_per_usd).quantize(_CENT_OF_A_CENT)


def _read_cost(told: JsonValue, headers: Mapping[str, str], eur_per_usd: Decimal) -> Decimal | None:
    in_euros = _amount(_field(told, "cost_eur"))
    if in_euros is not None:
        return in_euros
    in_dollars = next((amount for amount in map(_amount, _dollars(told, headers)) if amount is not None), None)
    return None if in_dollars is None else (in_dollars * eur_per_usd).quantize(_CENT_OF_A_CENT)


def _dollars(told: JsonValue, headers: Mapping[str, str]) -> Iterator[JsonValue]:
    """Name the places in which a gateway may state dollars, the most exact first."""
    yield _field(told, "cost")
    yield _field(_field(told, "cost"), "total_cost")
    yield _field(told, "cost_usd_total")
    yield _field(told, "cost_usd")
    yield headers.get("x-litellm-response-cost")


def _field(value: JsonValue, key: str) -> JsonValue:
    return value.get(key) if isinstance(value, dict) else None


def _count(value: JsonValue, key: str) -> int:
    count = _field(value, key)
    return int(count) if isinstance(count, int) and 0 < count < _MOST_TOKENS else 0


def _amount(value: JsonValue) -> Decimal | None:
    """Read an amount of money; what is not a number, or none that a call can cost, is None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < _MOST_MONEY else None
