"""Their errors → ours. Foreign exceptions of Supabase cross the border here and nowhere else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from postgrest import APIError

from shared import errors

# Our own SQLSTATEs; each message is the French sentence that SQL wrote for the reader.
_OURS: Final[dict[str, type[errors.WorkersError]]] = {
    "HQ001": errors.Forbidden,
    "HQ002": errors.UnknownRunType,
    "HQ003": errors.UnknownPlatform,
    "HQ004": errors.RateLimited,
    "HQ005": errors.ContextTooLarge,
    "HQ006": errors.UnknownRun,
}

# SQLSTATE classes that pass: connection, rollback (deadlock), resources, operator intervention, system.
_PASSING_CLASSES: Final = ("08", "40", "53", "57", "58", "PGRST0")
_PASSING_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_REFUSED_STATUSES: Final = frozenset({401, 403})


async def refuse_bad_status(response: httpx.Response) -> None:
    """Translate an answer whose status says enough; a hook of the HTTP client, before any library reads the body.

    Raises: BackendUnavailable for what passes, BackendRejected for a key that is refused.
    """
    status = response.status_code
    if status not in _PASSING_STATUSES and status not in _REFUSED_STATUSES:
        return
    await response.aread()
    code = _sqlstate(response)
    if code is not None and not code.startswith(_PASSING_CLASSES):
        return  # PostgreSQL's own error: translated with its code
    if status in _REFUSED_STATUSES:
        raise errors.BackendRejected(
            f"Supabase answered {status}: the key is wrong, expired, or not allowed. Check SUPABASE_SERVICE_ROLE_KEY."
        )
    raise errors.BackendUnavailable(f"Supabase answered {status}.")


def _sqlstate(response: httpx.Response) -> str | None:
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    code = body.get("code") if isinstance(body, dict) else None
    # PostgREST's own refusals of a token are told by the status alone.
    return code if isinstance(code, str) and not code.startswith("PGRST3") else None


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate whatever a Supabase call raises inside the block; ``what`` names the call for developers.

    Raises: BackendUnavailable (worth repeating), BackendRejected, or the CallerError that our SQL meant.
    """
    try:
        yield
    except APIError as error:
        raise _from_api_error(what, error) from error
    except httpx.TransportError as error:
        raise errors.BackendUnavailable(f"{what}: Supabase did not answer ({type(error).__name__}).") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise errors.BackendRejected(f"{what}: {type(error).__name__}.") from error


def _from_api_error(what: str, error: APIError) -> errors.WorkersError:
    code = error.code or ""
    message = " ".join(part for part in (error.message, error.hint) if part) or "no message"
    if code in _OURS:
        return _OURS[code](message, sentence=error.message)
    if code.startswith(_PASSING_CLASSES):
        return errors.BackendUnavailable(f"{what}: {code} {message}")
    hint = (
        " Run `emocare migrate`, or paste `emocare sql` in the SQL editor."
        if code in {"PGRST202", "42883", "42P01"}
        else ""
    )
    return errors.BackendRejected(f"{what}: {code} {message}.{hint}")
