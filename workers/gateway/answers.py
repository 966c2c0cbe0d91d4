"""What came back from the endpoint → the text of an answer, or the error that says why there is none.

Pure. What the endpoint writes in its errors is never passed on, for it may quote the prompt or the key;
of it only a short code is kept.
"""

import re
from datetime import timedelta
from typing import Final

from pydantic import JsonValue

from shared.errors import (
    GatewayAnswerUnusable,
    GatewayError,
    GatewayOutOfCredit,
    GatewayRateLimited,
    GatewayRejected,
    GatewayUnavailable,
)

_CUT: Final = frozenset({"length", "max_tokens"})
_WITHHELD: Final = frozenset({"content_filter", "safety", "error"})
_SHORT_CODE: Final = re.compile(r"[a-z][a-z0-9_]{2,39}")


class AnswerCut(GatewayAnswerUnusable):
    """The model ran out of room before it had finished."""


def read_answer(body: JsonValue) -> str:
    """Return the text of the answer.

    Raises: AnswerCut, GatewayAnswerUnusable.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise GatewayAnswerUnusable("the answer holds no choice")
    finish = str(choice.get("finish_reason") or "").lower()
    if finish in _CUT:
        raise AnswerCut("the answer was cut at the token limit")
    if finish in _WITHHELD:
        raise GatewayAnswerUnusable(f"the answer ended by {finish}")
    message = choice.get("message")
    text = _read_text(message.get("content") if isinstance(message, dict) else None)
    if not text.strip():
        raise GatewayAnswerUnusable("the answer is empty")
    return text


def read_status(status: int, body: JsonValue) -> int:
    """Return the status that counts.

    A gateway that had begun to answer 200 when its provider failed says so in the body (OpenRouter does).
    """
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else status  # noqa: PLR2004 - HTTP's errors


def refusal(status: int, body: JsonValue, retry_after: timedelta | None) -> GatewayError:
    """Return the error that an HTTP status stands for."""
    message = f"the model's service answered {status}{_code(body)}"
    match status:
        case 402:
            return GatewayOutOfCredit(message)
        case 429:
            return GatewayRateLimited(message, retry_after=retry_after)
        case 408 | 409 | 425:
            return GatewayUnavailable(message, retry_after=retry_after)
        case _ if status >= 500:  # noqa: PLR2004 - HTTP's own boundary
            return GatewayUnavailable(message, retry_after=retry_after)
        case _:
            return GatewayRejected(message)


def _read_text(content: JsonValue) -> str:
    """Return the content, also where a gateway sends it in parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _code(body: JsonValue) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    found = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    code = next((c for c in found if isinstance(c, str) and _SHORT_CODE.fullmatch(c)), None)
    return f" ({code})" if code else ""
