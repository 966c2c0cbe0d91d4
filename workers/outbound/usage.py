"""What one call consumed: read from the answer if the vendor states it, otherwise estimated and marked as estimated.

Vendors nearly agree on tokens and differ on money. Seen in the field, all in dollars: ``usage.cost`` (OpenRouter,
Vercel), the same as an object with ``total_cost`` (Perplexity), ``usage.cost_usd_total`` (LLM Gateway),
``usage.cost_usd``, and the header ``x-litellm-response-cost``. ``usage.cost_eur`` needs no conversion.
With our own provider keys (``is_byok``) OpenRouter's ``cost`` is its fee alone: what the model's maker charges is in
``cost_details.upstream_inference_cost``.
Gateways that do not know the cost state zero, which is believed only of a model that is listed as free.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from pydantic import JsonValue

from shared.language_models import Price, find_price
from workers.ports import Usage

_CHARS_PER_TOKEN: Final = 4
_MOST_TOKENS: Final = 1_000_000_000  # a count beyond this is a fault of the gateway, and ignored
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

    Without any token count, the tokens are estimated from the lengths; without a cost, the cost is estimated from the
    tokens, at ``price`` or the model's list price.
    """
    stated = _field(body, "usage")
    tokens = _count_tokens(stated)
    guessed = not tokens.sent and not tokens.written
    if guessed:
        tokens = _Tokens(sent=prompt_chars // _CHARS_PER_TOKEN, written=answer_chars // _CHARS_PER_TOKEN)
    usage = Usage(
        model=model,
        calls=1,
        tokens_in=tokens.sent,
        tokens_out=tokens.written,
        tokens_cached=min(tokens.cached, tokens.sent),
        tokens_reasoning=tokens.thoughts,
    )
    listed = price or find_price(model)
    cost_eur = _read_cost(stated, headers, eur_per_usd)
    if cost_eur is None or (not cost_eur and not listed.is_free):
        return usage.model_copy(update={"cost_eur": _estimate_cost(usage, listed, eur_per_usd), "estimated": True})
    return usage.model_copy(update={"cost_eur": cost_eur, "estimated": guessed})


class _Tokens(NamedTuple):
    sent: int  # from the cache or not
    written: int  # thoughts included
    cached: int = 0
    thoughts: int = 0


def _count_tokens(stated: JsonValue) -> _Tokens:
    sent = _first(stated, "prompt_tokens", "input_tokens")
    answered = _first(stated, "completion_tokens", "output_tokens")
    from_cache = _first(stated, "cache_read_input_tokens")
    cached = from_cache or _first(
        stated,
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
    )
    if not _count(stated, "prompt_tokens"):
        # Anthropic's own names: its input counts only tokens that were neither read from a cache nor written to one.
        sent += from_cache + _first(stated, "cache_creation_input_tokens")
    named = _first(
        stated,
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "reasoning_tokens",
    )
    # Google's own endpoint counts thoughts only in the total, though it bills them as output; others count more
    # thoughts than answer, which can only mean that the answer's count excludes them.
    beside = max(0, _first(stated, "total_tokens") - sent - answered) or (named if named > answered else 0)
    return _Tokens(sent, answered + beside, cached, named or beside)


def _estimate_cost(usage: Usage, price: Price, eur_per_usd: Decimal) -> Decimal:
    dollars = (
        (usage.tokens_in - usage.tokens_cached) * price.fresh
        + usage.tokens_cached * price.cached
        + usage.tokens_out * price.output
    ) / _MILLION + price.per_call * usage.calls
    return (dollars * eur_per_usd).quantize(_CENT_OF_A_CENT)


def _read_cost(stated: JsonValue, headers: Mapping[str, str], eur_per_usd: Decimal) -> Decimal | None:
    in_euros = _amount(_field(stated, "cost_eur"))
    if in_euros is not None:
        return in_euros
    amounts = [amount for amount in map(_amount, _dollars(stated, headers)) if amount is not None]
    # A zero in one place does not override an amount in another.
    in_dollars = next(filter(None, amounts), amounts[0] if amounts else None)
    upstream = _amount(_field(_field(stated, "cost_details"), "upstream_inference_cost"))
    if upstream is not None and (_field(stated, "is_byok") is True or not in_dollars):
        in_dollars = (in_dollars or 0) + upstream
    return None if in_dollars is None else (in_dollars * eur_per_usd).quantize(_CENT_OF_A_CENT)


def _dollars(stated: JsonValue, headers: Mapping[str, str]) -> Iterator[JsonValue]:
    """Yield the values where a gateway may state dollars, the most exact place first."""
    yield _field(stated, "cost")
    yield _field(_field(stated, "cost"), "total_cost")
    yield _field(stated, "cost_usd_total")
    yield _field(stated, "cost_usd")
    yield headers.get("x-litellm-response-cost")


def _first(value: JsonValue, *paths: str) -> int:
    """Return the first count above zero among these places, or 0."""
    return next(filter(None, (_count(value, path) for path in paths)), 0)


def _field(value: JsonValue, key: str) -> JsonValue:
    return value.get(key) if isinstance(value, dict) else None


def _count(value: JsonValue, path: str) -> int:
    count = value
    for key in path.split("."):
        count = _field(count, key)
    return int(count) if isinstance(count, int) and 0 < count < _MOST_TOKENS else 0


def _amount(value: JsonValue) -> Decimal | None:
    """Read an amount of money; return None for what is not a number, or not one that a call can cost."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < _MOST_MONEY else None
