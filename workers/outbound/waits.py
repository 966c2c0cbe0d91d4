"""How long a refusal asks to wait, where its body says so and its headers do not.

Pure. Some state it in a field (Google's RetryInfo, Mistral), others in a sentence: « Please try again in 1m30s »
(OpenAI, Groq), « Please retry after 26 seconds » (Azure), « retry after 37s » (Firecrawl). OpenRouter hands its
provider's own error on as a text, ``error.metadata.raw``, and LiteLLM puts it into the middle of its message: both are
searched as text, because they may be cut.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from pydantic import JsonValue

from workers.outbound.http import RETRY_AFTER_CAP

_DEEPEST: Final = 8
_MOST_ITEMS: Final = 32
_TEXT_CHARS: Final = 4_000
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_AMOUNT: Final = r"\d{1,9}(?:\.\d{1,9})?"
_UNIT: Final = "(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_DURATION: Final = rf"{_AMOUNT} ?{_UNIT}(?:(?:,? and |, ?| )?{_AMOUNT} ?{_UNIT}){{0,4}}(?![a-z])"
_PARTS: Final = re.compile(rf"({_AMOUNT}) ?(ms|millis|[smhd])")
# No other sentence with a duration states a wait: « Limit 20 requests per 1m » does not.
_SENTENCE: Final = re.compile(
    r"\b(?:try|retry|wait)(?: your request)?(?: again)?(?: later)?(?: in| after| for)?(?: about| at least)? "
    rf"({_DURATION})"
)
# A field in a text that holds JSON, its quotes escaped or not, or a header.
_FIELD: Final = re.compile(
    rf"\bretry[_-]?(?:delay|after)(?:[_-]?(ms)|[_-]?seconds)?[\\\"' ]{{0,6}}[:=][\\\"' ]{{0,6}}"
    rf"({_DURATION}|{_AMOUNT}(?![a-z\d]))"
)
_ALONE: Final = re.compile(rf"(?:({_DURATION})|{_AMOUNT})")


def read_wait(body: JsonValue) -> timedelta | None:
    """Return the wait that the body of a refusal states: in a field wherever it is, or else in a sentence.

    Shape: never negative, at most ``RETRY_AFTER_CAP``; None where it states none.
    """
    return next(_waits_in_fields(body, _DEEPEST), None) or next(_waits_in_texts(body, _DEEPEST), None)


def _waits_in_fields(value: JsonValue, depth: int) -> Iterator[timedelta]:
    for key, each in _members(value, depth):
        match re.sub("[_-]", "", key.lower()):
            case "retrydelay" | "retryafter" | "retryafterseconds":
                yield from _read_field(each, "")
            case "retryafterms":
                yield from _read_field(each, "ms")
            case _:
                yield from _waits_in_fields(each, depth - 1)


def _waits_in_texts(value: JsonValue, depth: int) -> Iterator[timedelta]:
    if isinstance(value, str):
        text = " ".join(value[:_TEXT_CHARS].lower().split())
        for unit, amount in _FIELD.findall(text):
            yield from _read_field(amount, unit)
        for duration in _SENTENCE.findall(text):
            yield _add_up(duration)
    for _, each in _members(value, depth):
        yield from _waits_in_texts(each, depth - 1)


def _members(value: JsonValue, depth: int) -> list[tuple[str, JsonValue]]:
    if not depth:
        return []
    if isinstance(value, list):
        return [("", each) for each in value[:_MOST_ITEMS]]
    return list(value.items())[:_MOST_ITEMS] if isinstance(value, dict) else []


def _read_field(value: JsonValue, unit: str) -> Iterator[timedelta]:
    if not isinstance(value, int | float | str):
        return
    found = _ALONE.fullmatch(str(value)[:_TEXT_CHARS].strip().lower())
    if found:
        yield _add_up(found[1] or f"{found[0]}{unit or 's'}")


def _add_up(duration: str) -> timedelta:
    """Units: ``duration`` in lower case, each amount with its unit."""
    seconds = sum(
        float(amount) * _SECONDS["ms" if unit == "millis" else unit] for amount, unit in _PARTS.findall(duration)
    )
    return timedelta(seconds=min(seconds, RETRY_AFTER_CAP.total_seconds()))
