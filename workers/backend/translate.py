"""Supabase's errors → ours. Its exceptions and answers are translated here and nowhere else.

Two things are kept apart. *Refused* is an error from PostgREST itself, under a code of its own or of PostgreSQL, or one
of the gateway's known messages about our key. *Away* is everything else: whatever stands in front of PostgREST may
answer with any status and any page, and with a different one tomorrow. Asking again costs a moment; an outage mistaken
for a refusal costs a report that has been paid for.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final

import aiohttp
import httpx
from postgrest import APIError
from pydantic import JsonValue
from supabase_auth.errors import AuthError, AuthRetryableError

from shared import errors
from shared.untrusted_text import clean_line

# Our own SQLSTATEs; each message is the French sentence that SQL wrote for the reader.
_OURS: Final[dict[str, type[errors.WorkersError]]] = {
    "HQ001": errors.Forbidden,
    "HQ002": errors.UnknownRunType,
    "HQ003": errors.UnknownPlatform,
    "HQ004": errors.RateLimited,
    "HQ005": errors.ContextTooLarge,
    "HQ006": errors.UnknownRun,
    "HQ007": errors.KeyReused,
    "HQ008": errors.QueueHeld,
}

# Codes of faults that pass: connection, read only (a failover), rollback (deadlock), resources, lock timeout, operator
# intervention, system, a function that is being replaced at this moment; a prepared statement that a migration or a
# pooler has made invalid; PostgREST's connection and its client library.
_PASSING_CODES: Final = (
    *("08", "25006", "40", "53", "55P03", "57", "58", "XX000"),
    *("0A000", "26", "42P05"),
    *("PGRST0", "PGRSTX"),
)
# Where there is no code, the library puts the status in its place, and 404 is not an SQLSTATE of class 40.
_CODE: Final = re.compile(r"(?=.*\d)[0-9A-Z]{5}|PGRST\w+")
_ERROR_FIELDS: Final = frozenset({"code", "message", "details", "hint"})
_KEY_STATUSES: Final = frozenset({401, 403})
# The gateway has no codes. "Invalid API key", "Legacy API keys are disabled", "Invalid JWT", and their like.
_KEY_WORDS: Final = re.compile(r"\bapi keys?\b|\bjwt\b|\bauthentication credentials\b", re.IGNORECASE)
_NO_CONTENT: Final = 204
_SERVER_ERROR: Final = 500
_BUSY: Final = frozenset({402, 408, 425, 429})
_QUOTED_CHARS: Final = 160

_MIGRATE: Final = "Run `emocare migrate`, or paste `emocare sql` in the SQL editor."
_CHECK_URL: Final = "Check SUPABASE_URL: the project's address, with nothing after the host."
_IF_IT_LASTS: Final = (
    "If this lasts, check the network and SUPABASE_URL (the project's address, nothing after the host)."
)
_REMEDIES: Final = {
    "PGRST125": _CHECK_URL,
    "42883": _MIGRATE,
    "42P01": _MIGRATE,
    "42501": "Check that SUPABASE_SERVICE_ROLE_KEY is the secret key, then run `emocare migrate`.",
}


class Meaning(Enum):
    """What an answer means for the call."""

    ANSWERED = "PostgREST answered: with data, with nothing, or with a refusal under its code"
    KEY_REFUSED = "the gateway or PostgREST does not take our key"
    AWAY = "whoever answered, it was not PostgREST, or it says itself that this passes"


def judge(status: int, content_type: str, body: bytes) -> Meaning:
    """Decide what an answer means: "away", unless it is known to be PostgREST's own, or a refused key."""
    if status == _NO_CONTENT:
        return Meaning.ANSWERED
    try:
        parsed = _parse_json(content_type, body)
    except ValueError:
        return Meaning.AWAY
    if httpx.codes.is_success(status):
        return Meaning.ANSWERED
    return _judge_error(status, parsed) if isinstance(parsed, dict) else Meaning.AWAY


def _judge_error(status: int, body: dict[str, Any]) -> Meaning:
    code = str(body.get("code"))
    if body.keys() >= _ERROR_FIELDS and _CODE.fullmatch(code) and httpx.codes.is_error(status):
        if status in _KEY_STATUSES and code.startswith("PGRST3"):
            return Meaning.KEY_REFUSED
        return Meaning.AWAY if _passes(code) else Meaning.ANSWERED
    names_key = _KEY_WORDS.search(str(body.get("message"))) is not None
    return Meaning.KEY_REFUSED if status in _KEY_STATUSES and names_key else Meaning.AWAY


def _parse_json(content_type: str, body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Parse a body that is declared as JSON. Raises: ValueError."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise ValueError("not declared as JSON")
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("too deep") from error


def read_fields(response: httpx.Response) -> dict[str, JsonValue]:
    """Return the fields of an answer that is a JSON object; none for any other."""
    try:
        body = _parse_json(response.headers.get("content-type", ""), response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def refuse_bad_answer(response: httpx.Response) -> None:
    """Translate an answer that is not PostgREST's own, before any library reads its body.

    Raises: BackendUnavailable for what passes, KeyRefused.
    """
    content_type = response.headers.get("content-type", "")
    meaning = judge(response.status_code, content_type, response.content)
    if meaning is Meaning.KEY_REFUSED:
        raise errors.KeyRefused(
            f"{quote_answer(response)} The key is wrong, expired, or not allowed: check SUPABASE_SERVICE_ROLE_KEY."
        )
    if meaning is Meaning.AWAY and response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        raise errors.RequestTooLarge(quote_answer(response))
    if meaning is Meaning.AWAY:
        # A project that is away answers in many ways; a site that is not a project, in these.
        elsewhere = response.status_code < _SERVER_ERROR and response.status_code not in _BUSY
        raise errors.BackendUnavailable(quote_answer(response) + (f" {_IF_IT_LASTS}" if elsewhere else ""))


def quote_answer(response: httpx.Response, who: str = "Supabase") -> str:
    """Render an answer so that a person can find out who sent it: its status, its type, the beginning of its body."""
    content_type = clean_line(response.headers.get("content-type", "").partition(";")[0], 40)
    beginning = clean_line(response.content[: 4 * _QUOTED_CHARS].decode(errors="replace"), _QUOTED_CHARS)
    quoted = f"{content_type or 'of no type'}: {beginning}" if beginning else "empty"
    return f"{who} answered {response.status_code} ({quoted})."


def _passes(code: str) -> bool:
    return _CODE.fullmatch(code) is not None and code.startswith(_PASSING_CODES)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate whatever a Supabase call raises inside the block; ``what`` names the call for developers.

    Raises: BackendUnavailable (worth repeating), BackendRejected, Unauthenticated, or the CallerError that our SQL
    signalled.
    """
    try:
        yield
    except APIError as error:
        raise _from_api_error(what, error) from error
    except (httpx.TransportError, aiohttp.ClientError, AuthRetryableError) as error:
        raise errors.BackendUnavailable(
            f"{what}: Supabase did not answer ({type(error).__name__}). {_IF_IT_LASTS}"
        ) from error
    except AuthError as error:
        raise errors.Unauthenticated(f"{what}: {type(error).__name__}.") from error
    except (ValueError, RecursionError) as error:  # both ValidationError and unreadable JSON are ValueErrors
        raise errors.BackendUnavailable(f"{what}: Supabase answered in a shape that was not expected.") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
        raise errors.BackendRejected(f"{what}: {type(error).__name__}.") from error


def _from_api_error(what: str, error: APIError) -> errors.WorkersError:
    code = error.code or ""
    message = " ".join(part for part in (error.message, error.hint) if part) or "no message"
    if code in _OURS:
        return _OURS[code](message, sentence=error.message)
    if not _CODE.fullmatch(code):  # the hook lets no such answer through; without a hook, it is not a refusal either
        remedy = "" if error.code == "" else f" {_CHECK_URL}"
        return errors.BackendUnavailable(f"{what}: the answer was not PostgREST's.{remedy}")
    return refusal(what, code, message)


def refusal(what: str, code: str, message: str) -> errors.BackendError:
    """Return the error for a refusal of PostgreSQL or PostgREST, by its code: worth repeating, or not."""
    if _passes(code):
        return errors.BackendUnavailable(f"{what}: {code} {message}")
    if code == "PGRST202":  # its message goes on to suggest another function with a similar name
        return errors.FunctionMissing(f"{what}: {code} the database has no such function. {_MIGRATE}")
    return errors.BackendRejected(
        " ".join(part for part in (f"{what}: {code} {message}.", _REMEDIES.get(code)) if part)
    )
