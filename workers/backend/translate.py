"""Their errors → ours. Foreign exceptions of Supabase cross the border here and nowhere else."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import httpx
from postgrest import APIError
from supabase_auth.errors import AuthError, AuthRetryableError

from shared import errors

# Our own SQLSTATEs; each message is the French sentence that SQL wrote for the reader.
_OURS: Final[dict[str, type[errors.WorkersError]]] = {
    "HQ001": errors.Forbidden,
    "HQ002": errors.UnknownRunType,
    "HQ003": errors.UnknownPlatform,
    "HQ004": errors.RateLimited,
    "HQ005": errors.ContextTooLarge,
    "HQ006": errors.UnknownRun,
    "HQ007": errors.KeyReused,
}

# Codes that pass: connection, read only (a failover), rollback (deadlock), resources, lock timeout, operator
# intervention, system, a function that is being replaced at this moment; PostgREST's connection and its client library.
_PASSING_CODES: Final = ("08", "25006", "40", "53", "55P03", "57", "58", "XX000", "PGRST0", "PGRSTX")
# Where there is no code, the library puts the status in its place, and 404 is no SQLSTATE of class 40.
_CODE: Final = re.compile(r"[0-9A-Z]{5}|PGRST\w+")
_PASSING_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_REFUSED_STATUSES: Final = frozenset({401, 403})

_MIGRATE: Final = "Run `emocare migrate`, or paste `emocare sql` in the SQL editor."
_CHECK_URL: Final = "Check SUPABASE_URL: the project's address, with nothing after the host."
_REMEDIES: Final = {
    "": _CHECK_URL,  # an answer without a code is not PostgREST's
    "404": _CHECK_URL,
    "PGRST125": _CHECK_URL,
    "PGRST202": _MIGRATE,
    "42883": _MIGRATE,
    "42P01": _MIGRATE,
    "42501": "Check that SUPABASE_SERVICE_ROLE_KEY is the secret key, then run `emocare migrate`.",
}


async def refuse_bad_status(response: httpx.Response) -> None:
    """Translate an answer whose status says enough; a hook of the HTTP client, before any library reads the body.

    Raises: BackendUnavailable for what passes, KeyRefused.
    """
    status = response.status_code
    if status not in _PASSING_STATUSES and status not in _REFUSED_STATUSES:
        return
    await response.aread()
    code = _sqlstate(response)
    if code is not None and not _passes(code):
        return  # PostgreSQL's own error: translated with its code
    if status in _REFUSED_STATUSES:
        raise errors.KeyRefused(
            f"Supabase answered {status}: the key is wrong, expired, or not allowed. Check SUPABASE_SERVICE_ROLE_KEY."
        )
    raise errors.BackendUnavailable(f"Supabase answered {status}.")


def _sqlstate(response: httpx.Response) -> str | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    # PostgREST's own refusals of a token are known by the status alone.
    is_sqlstate = isinstance(code, str) and _CODE.fullmatch(code) and not code.startswith("PGRST3")
    return code if is_sqlstate else None


def _passes(code: str) -> bool:
    return _CODE.fullmatch(code) is not None and code.startswith(_PASSING_CODES)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate whatever a Supabase call raises inside the block; ``what`` names the call for developers.

    Raises: BackendUnavailable (worth repeating), BackendRejected, Unauthenticated, or the CallerError that our SQL
    meant.
    """
    try:
        yield
    except APIError as error:
        raise _from_api_error(what, error) from error
    except (httpx.TransportError, aiohttp.ClientError, AuthRetryableError) as error:
        raise errors.BackendUnavailable(f"{what}: Supabase did not answer ({type(error).__name__}).") from error
    except AuthError as error:
        raise errors.Unauthenticated(f"{what}: {type(error).__name__}.") from error
    except (ValueError, RecursionError) as error:  # ValidationError is one; so is JSON that cannot be read
        raise errors.BackendRejected(f"{what}: Supabase answered in a shape that was not expected.") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
        raise errors.BackendRejected(f"{what}: {type(error).__name__}.") from error


def _from_api_error(what: str, error: APIError) -> errors.WorkersError:
    code = error.code or ""
    message = " ".join(part for part in (error.message, error.hint) if part) or "no message"
    if code in _OURS:
        return _OURS[code](message, sentence=error.message)
    if error.code == "":  # seen when a session ends in the middle of an answer: a 400 with nothing in it
        return errors.BackendUnavailable(f"{what}: the database broke off its answer.")
    return refusal(what, code, message)


def refusal(what: str, code: str, message: str) -> errors.BackendError:
    """Name a refusal of PostgreSQL or PostgREST by its code: worth repeating, or not."""
    if _passes(code):
        return errors.BackendUnavailable(f"{what}: {code} {message}")
    if code == "PGRST202":  # it goes on to propose another function, whose name looks like this one's
        message = "the database has no such function"
    refused = " ".join(part for part in (code, message) if part)
    return errors.BackendRejected(" ".join(part for part in (f"{what}: {refused}.", _REMEDIES.get(code)) if part))
