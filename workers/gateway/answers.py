"""What came back from the endpoint → the text of an answer, or the error that says why there is none.

Pure. What the endpoint writes in its errors is never passed on, because it may quote the prompt or the
key; all that is kept is a short code, and which part of our request the error names.
"""

import re
from collections.abc import Collection
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
from shared.sanitise import REPORT_CHARS
from shared.untrusted_text import drop_thoughts

# How a whole answer ends. With any other ending, even one that nobody has heard of yet, the answer is not whole.
_WHOLE: Final = frozenset({"stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed"})
_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_TEXT_PARTS: Final = frozenset({"text", "output_text"})
_ERROR_STATUS: Final = re.compile(r"[45][0-9]{2}")
_SHORT_CODE: Final = re.compile(r"[a-z][a-z0-9_]{2,39}")
_SHORT_WORD: Final = re.compile(r"[\w-]{1,32}")
_MODEL_ID: Final = re.compile(r"[\w./:@-]{1,100}")
_MESSAGE_CHARS: Final = 2_000
_MODEL_GONE_CODE: Final = re.compile(
    r"model_(?:is_)?(?:not_|no_|un|in|de|retired|gone|shut)|(?:invalid|unknown|deprecated|retired)_model"
)
_MODEL_GONE_WORDS: Final = re.compile(
    r"not a valid model|unknown model|invalid model|"
    r"\bmodels?\b.{0,120}?(?:not found|not exist|not available|no longer|deprecated|retired|decommission|shut ?down)",
    re.IGNORECASE | re.DOTALL,
)
_PARAMETER_CODES: Final = ("unsupported_parameter", "unsupported_value", "context_length_exceeded")
_PASSING: Final = frozenset({408, 409, 425})


class AnswerCut(GatewayAnswerUnusable):
    """The model ran out of room before it had finished."""


class ModelGone(GatewayRejected):
    """The gateway no longer has this model."""

    sentence = (
        "Le service d'IA ne propose plus le modèle demandé. L'équipe technique doit en choisir un autre dans la "
        "configuration."
    )


def read_answer(body: JsonValue) -> str:
    """Return the text of the answer, without what the model thought before it, no longer than anybody reads.

    Raises: AnswerCut, GatewayAnswerUnusable.
    """
    choice = _first_choice(body)
    if choice is None:
        raise GatewayAnswerUnusable("the answer holds no choice")
    if choice.get("error") or (isinstance(body, dict) and body.get("error")):
        raise GatewayAnswerUnusable("the answer comes with an error")
    finish = str(choice.get("finish_reason") or "").lower()
    if finish in _CUT:
        raise AnswerCut("the answer was cut at the token limit")
    if finish not in _WHOLE:
        shown = finish if _SHORT_WORD.fullmatch(finish) else "no known reason"
        raise GatewayAnswerUnusable(f"the answer ended by {shown}")
    message = choice.get("message")
    text = _read_text(message.get("content") if isinstance(message, dict) else None)
    answer = drop_thoughts(text)
    if not answer.strip():
        raise GatewayAnswerUnusable("the answer is thoughts alone" if text.strip() else "the answer is empty")
    return answer[: 2 * REPORT_CHARS]  # with room for what the sanitiser drops


def read_model(body: JsonValue, *, asked: str) -> str:
    """Return the id of the model that the answer names, or of the one asked if it names none."""
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) and _MODEL_ID.fullmatch(model) else asked


def read_status(status: int, body: JsonValue) -> int:
    """Return the status that counts.

    A gateway that had begun to answer 200 when its provider failed reports it in the body, beside the choices or on
    one (OpenRouter does both).
    """
    for holder in (body, _first_choice(body)):
        error = holder.get("error") if isinstance(holder, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        if _ERROR_STATUS.fullmatch(str(code)):
            return int(str(code))
    return status


def refusal(status: int, body: JsonValue, retry_after: timedelta | None) -> GatewayError:
    """Return the error that an HTTP status stands for."""
    message = f"the model's service answered {status}{_code(body)}"
    match status:
        case 402:
            return GatewayOutOfCredit(message)
        case 429:
            return GatewayRateLimited(message, retry_after=retry_after)
        case _ if status in _PASSING or status >= 500:  # noqa: PLR2004 - HTTP's own boundary
            return GatewayUnavailable(message, retry_after=retry_after)
        case 404 | 410 if _error(body):  # a proxy's page says nothing about the model
            return ModelGone(message)
        case 400 | 422 if _names_model(body):
            return ModelGone(message)
        case _:
            return GatewayRejected(message)


def find_refused_parameters(body: JsonValue, sent: Collection[str]) -> set[str]:
    """Return which of the parameters that were sent an error names."""
    error = _error(body)
    named = error.get("param")
    words = set(re.findall(r"[a-z_]+", _message(error)))
    return {name for name in sent if name == named or name in words}


def _first_choice(body: JsonValue) -> dict[str, JsonValue] | None:
    """Return the first choice that states anything: an answer was paid for, whatever stands beside it in the list."""
    choices = body.get("choices") if isinstance(body, dict) else None
    stated = (choice for choice in (choices if isinstance(choices, list) else ()) if isinstance(choice, dict))
    return next((choice for choice in stated if choice.get("message") or choice.get("error")), None)


def _read_text(content: JsonValue) -> str:
    """Return the content; where a gateway sends it in parts, join those of text and leave out thoughts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (
        part.get("text") for part in parts if isinstance(part, dict) and str(part.get("type", "text")) in _TEXT_PARTS
    )
    return "".join(text for text in texts if isinstance(text, str))


def _error(body: JsonValue) -> dict[str, JsonValue]:
    """Return the error object: nested, flat, or in Google's list of one."""
    holder = body[0] if isinstance(body, list) and body else body
    if not isinstance(holder, dict):
        return {}
    error = holder.get("error", holder)
    return error if isinstance(error, dict) else {"message": error}


def _message(error: dict[str, JsonValue]) -> str:
    message = error.get("message")
    return message[:_MESSAGE_CHARS] if isinstance(message, str) else ""


def _names_model(body: JsonValue) -> bool:
    error = _error(body)
    if error.get("param") not in (None, "", "model") or error.get("code") in _PARAMETER_CODES:
        return False  # "…of this model is not available" then refers to a parameter
    codes = (code for code in (error.get("code"), error.get("type")) if isinstance(code, str))
    return any(_MODEL_GONE_CODE.match(code) for code in codes) or bool(_MODEL_GONE_WORDS.search(_message(error)))


def _code(body: JsonValue) -> str:
    error = _error(body)
    found = (error.get("code"), error.get("type"))
    code = next((c for c in found if isinstance(c, str) and _SHORT_CODE.fullmatch(c)), None)
    return f" ({code})" if code else ""
