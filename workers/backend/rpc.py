"""How every function of ours is called: by POST, with JSON that PostgreSQL can store, its refusals translated.

By POST, because the postgrest client repeats GET and HEAD by itself, and nothing may be repeated behind our back.
Each function that PostgREST serves is called by one method of one class of this package.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar

import structlog
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from supabase import AsyncClient

from workers.backend.translate import translated

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

log = structlog.get_logger(__name__)

# PostgreSQL's text cannot hold NUL, nor JSON on the wire a lone surrogate or a number that is not finite.
# Untrusted callers write such things; a run must not be lost to them.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def _read_void(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    return None if answer == [] else answer


# PostgREST answers 204 without a body for a function that returns void. SupabaseHttp turns that into null, which
# cannot be mistaken for no rows; over another client, the library makes it an empty list.
_VOID: Final = TypeAdapter(Annotated[None, BeforeValidator(_read_void)])

_ROWS: Final = TypeAdapter(list[dict[str, Any]])
_AT_LEAST_ONE: Final = TypeAdapter(Annotated[list[dict[str, Any]], Field(min_length=1)])
_MOST_LOGGED: Final = 200


class Shape(Protocol[T_co]):
    """The shape that an answer is read in."""

    def validate_python(self, answer: object, /) -> T_co:
        """Read an answer. Raises: ValidationError where it has another shape."""


class OneRow(Generic[T]):
    """The row of a function that always returns one: an empty list is not a valid answer."""

    def __init__(self, row: TypeAdapter[T]) -> None:
        self._row = row

    def validate_python(self, answer: object, /) -> T:
        """Read the row. Raises: ValidationError if there is none, or it has another shape."""
        return self._row.validate_python(_AT_LEAST_ONE.validate_python(answer)[0])


class Rows(Generic[T]):
    """A list of rows, each read separately: one that cannot be read is left out, and logged once by its ``key``."""

    def __init__(self, row: TypeAdapter[T], *, key: str) -> None:
        self._row = row
        self._key = key
        # Lists are read every few seconds, and a row stays unreadable until somebody corrects it.
        self._logged: set[str] = set()

    def validate_python(self, answer: object, /) -> list[T]:
        """Read the rows that can be read.

        Raises: ValidationError if the answer is not a list of rows, or a row lacks a field: that is another function's.
        """
        return list(self._read(_ROWS.validate_python(answer)))

    def _read(self, rows: list[dict[str, Any]]) -> Iterator[T]:
        for row in rows:
            try:
                yield self._row.validate_python(row)
            except ValidationError as error:
                faults = error.errors(include_input=False, include_url=False, include_context=False)
                if any(fault["type"] == "missing" and len(fault["loc"]) == 1 for fault in faults):
                    raise
                self._log(str(row.get(self._key))[:80], ".".join(str(part) for part in faults[0]["loc"]))

    def _log(self, key: str, field: str) -> None:
        if key not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(key)
            log.warning("row.unreadable", **{self._key: key}, field=field)


async def call(client: AsyncClient, name: str, params: Mapping[str, Any], shape: Shape[T]) -> T:
    """Call a function and read its answer in the given shape.

    Raises: the CallerError that SQL signalled; BackendUnavailable also for an answer in another shape; BackendRejected.
    """
    with translated(name):
        response = await client.rpc(name, _storable(dict(params))).execute()
        return shape.validate_python(response.data)


async def call_void(client: AsyncClient, name: str, params: Mapping[str, Any]) -> None:
    """Call a function that returns nothing. Raises: as call does."""
    await call(client, name, params, _VOID)


def _is_storable(text: str) -> bool:
    """Return whether PostgreSQL can hold a text as it is. Cost: a tenth of the pattern's; almost every text passes."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return value if _is_storable(value) else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
