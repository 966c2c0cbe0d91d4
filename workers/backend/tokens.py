"""What a signed token says, read as strictly as PostgREST reads it.

Auth signs only what it made itself, but whoever holds a signing key of the project, or wrote the hook that adds claims,
makes tokens that Auth would not. What PostgREST, in any version since 12, refuses in one is refused here, so that a
worker does for nobody what the database itself would not do for them. Where the versions differ, the stricter counts.
No signature is verified here, and no end.
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NoReturn
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_ROLE: Final = "authenticated"
# The clocks may differ by so much.
_SKEW_SECONDS: Final = 30
# No padding and no foreign sign: Python's decoder skips what it does not know.
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
# A text with a colon must be an address, says the standard. Auth's own issuer is one of these.
_ADDRESS: Final = re.compile(r"[^:]*|https?://[\w.-]+(?::\d{1,5})?(?:/[\w.~-]*)*", re.ASCII)
# A character that Postgres has not: an escape, unless its backslash is escaped itself.
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _require_address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("neither a word nor an address")
    return text


def _require_canonical(text: str) -> str:
    if str(UUID(text)) != text:
        raise ValueError("not written as Postgres writes an id")
    return text


_Word = Annotated[str, AfterValidator(_require_address)]


class Claims(BaseModel):
    """Of what a signed-in user's token says, what decides."""

    model_config = ConfigDict(strict=True, extra="ignore")

    iss: _Word = ""
    sub: Annotated[str, AfterValidator(_require_canonical)]
    role: Literal["authenticated"]
    aud: _Word | list[_Word] = _ROLE
    # Without a fraction, and within 64 bits: from version 13 on PostgREST reads anything else as the year 1970.
    exp: int = Field(gt=0, lt=2**63)
    nbf: int = 0
    iat: int = 0
    jti: str = ""


def read_claims(token: str, now: datetime) -> Claims:
    """Read a token; its signature and its end are verified elsewhere.

    Raises: ValueError, TypeError for what PostgREST refuses, and for what is no signed-in user's.
    """
    if not _COMPACT.fullmatch(token):
        raise ValueError("three parts were expected")
    header, payload, _ = token.split(".")
    if "crit" in _read_part(header):
        raise ValueError("the token demands what nobody here understands")
    claims = Claims.model_validate(_read_part(payload))
    if _ROLE not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise ValueError("the token is for somebody else")
    if max(claims.nbf, claims.iat) > now.timestamp() + _SKEW_SECONDS:
        raise ValueError("the token is not valid yet")
    return claims


def _read_part(part: str) -> dict[str, Any]:
    """Parse a part of a token, refusing JSON that two readers may read in two ways, or that Postgres cannot keep."""
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    value = json.loads(text, object_pairs_hook=_build_object, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    # A lone surrogate cannot be encoded, and a number beyond all numbers is one that JSON has no word for.
    written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if _NUL.search(written):
        raise ValueError("a text holds a character that Postgres has not")
    return value


def _build_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Python takes the last of two fields of one name, PostgREST the first."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field came twice")
    return made


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
