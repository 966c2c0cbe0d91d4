"""How every function of ours is called: by POST, with JSON that PostgreSQL can store, its refusals translated.

By POST, because the postgrest client repeats GET and HEAD by itself, and nothing may be repeated behind our back.
Each function that PostgREST serves is called by one method of one class of this package.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter
from supabase import AsyncClient

from workers.backend.translate import translated

T = TypeVar("T")

AtLeastOne = Annotated[list[T], Field(min_length=1)]
"""The rows of a function that always has one: an answer without is none."""

# PostgreSQL's text holds no NUL, and JSON on the wire neither half a surrogate pair nor a number that is none.
# Untrusted callers write such things; a run must not be lost to them.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def _read_void(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    return None if answer == [] else answer


# PostgREST answers 204 without a body for a function that returns void. SupabaseHttp makes a null of it, which nobody
# takes for no rows; over another client, the library makes an empty list.
_VOID: Final = TypeAdapter(Annotated[None, BeforeValidator(_read_void)])


async def call(client: AsyncClient, name: str, params: Mapping[str, Any], shape: TypeAdapter[T]) -> T:
    """Call a function and read its answer in the given shape.

    Raises: the CallerError that SQL meant; BackendUnavailable also for an answer in another shape; BackendRejected.
    """
    with translated(name):
        response = await client.rpc(name, _storable(dict(params))).execute()
        return shape.validate_python(response.data)


async def call_void(client: AsyncClient, name: str, params: Mapping[str, Any]) -> None:
    """Call a function that returns nothing. Raises: as call does."""
    await call(client, name, params, _VOID)


def _storable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
