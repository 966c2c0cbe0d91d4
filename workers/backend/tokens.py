"""What a signed token says, read as strictly as PostgREST reads it.

Auth signs only what it made itself, but anyone who holds a signing key of the project, or wrote the hook that adds
claims, can make tokens that Auth would not. Whatever any version of PostgREST since 12 refuses in a token is refused
here, so that a worker does nothing for a caller that the database itself would not do. Where the versions differ, the
strictest counts. Neither the signature nor the expiry is verified here.
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
# The clocks may differ by this much.
_SKEW_SECONDS: Final = 30
# No padding and no other characters: Python's decoder skips those that it does not know.
_COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
# By the standard, a text with a colon must be a URI. Auth's own issuer is one of these.
_ADDRESS: Final = re.compile(r"[^:]*|https?://[\w.-]+(?::\d{1,5})?(?:/[\w.~-]*)*", re.ASCII)
# A character that Postgres cannot store: an escape, unless its backslash is itself escaped.
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
    """The claims of a signed-in user's token that decide whether it is accepted."""

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
    """Read a token; its signature and its expiry are verified elsewhere.

    Raises: ValueError, TypeError for what PostgREST refuses, and for any token that is not a signed-in user's.
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
    """Parse a part of a token, refusing JSON that two parsers may read differently, or that Postgres cannot store."""
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    value = json.loads(text, object_pairs_hook=_build_object, parse_constant=_refuse)
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    # A lone surrogate cannot be encoded, and JSON cannot express an infinite number.
    written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if _NUL.search(written):
        raise ValueError("a text holds a character that Postgres has not")
    return value


def _build_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse two fields of one name: Python takes the last, PostgREST the first."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a field came twice")
    return made


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
