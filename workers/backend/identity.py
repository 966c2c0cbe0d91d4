"""Bearer token → who is calling.

A token is verified by the official auth client: with the project's public keys if the token names one, by the auth
server if it was signed with the shared secret. That client is separate, and nobody signs in with it: on a shared client
``sign_in`` and ``auth`` overwrite the headers of everybody's calls.
"""

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import httpx
from pydantic import JsonValue, StrictBool, TypeAdapter
from supabase import AsyncClient
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthRetryableError

from shared.errors import BackendError, BackendUnavailable, Unauthenticated
from workers.backend.http import SupabaseHttp
from workers.backend.public_keys import SparingTransport, holds_keys
from workers.backend.tokens import read_claims
from workers.backend.translate import quote_answer, read_fields, translated
from workers.outbound import open_get_transport
from workers.ports import Caller, Clock
from workers.runtime.shared_read import SharedRead
from workers.settings import SupabaseSettings

OWNER_ROLE: Final = "owner"
_FLAG: Final = TypeAdapter(StrictBool)  # an invalid answer must not be cached as "not an owner"
_SERVICE_KEY: Final = (
    "Cet appel porte une clé de service au lieu d'une session. Connectez-vous, puis relancez avec votre session."
)

# A revoked role is still honoured for this long. A ban or an ended session is noticed within this time for tokens that
# Auth verifies, because they are signed with the legacy secret; those verified here, with the project's public keys,
# are valid until they expire (decision 324).
_KEPT_FOR: Final = timedelta(seconds=30)
_KEPT_AT_MOST: Final = 1024
# A caller that finds a verification stuck for this long starts another.
_PATIENCE: Final = timedelta(seconds=2)
_TOKEN_CHARS: Final = 8192
# Each token that only the auth server can verify costs a call: however many arrive, only this many calls run at once.
_CONNECTIONS: Final = httpx.Limits(max_connections=8)
# Auth's codes for a token that belongs to nobody, or no longer does.
_TOKEN_FAULTS: Final = frozenset(
    {
        "bad_jwt",
        "no_authorization",
        "session_expired",
        "session_not_found",
        "user_banned",
        "user_not_found",
    }
)


@asynccontextmanager
async def open_auth(
    settings: SupabaseSettings, *, clock: Clock, network: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[AsyncGoTrueClient]:
    """Open an auth client that only verifies: it has no session, and shares nothing."""
    network = network or open_get_transport(_CONNECTIONS) or httpx.AsyncHTTPTransport(limits=_CONNECTIONS)
    async with SupabaseHttp(
        within=settings.timeout,
        check=_refuse_outage,
        transport=SparingTransport(network, clock=clock, within=settings.timeout),
    ) as http:
        yield AsyncGoTrueClient(
            url=f"{str(settings.url).rstrip('/')}/auth/v1",
            headers={"apikey": settings.service_key.get_secret_value()},
            auto_refresh_token=False,
            persist_session=False,
            http_client=http,
        )


def _refuse_outage(response: httpx.Response) -> None:
    """Let through only Auth's own answers: its keys, a user, or one of its codes for a bad token.

    The library would blame the token for anything else: a gateway's refusal of our key, a web page, a paused project.
    """
    fields = read_fields(response)
    if response.is_success and (holds_keys(fields) or _holds_user(fields)):
        return
    # Its first API version names the reason in `error_code`, the newer one in `code`.
    if not response.is_success and not _TOKEN_FAULTS.isdisjoint(
        str(fields.get(name)) for name in ("code", "error_code")
    ):
        return
    raise BackendUnavailable(quote_answer(response, "Auth"))


def _holds_user(fields: dict[str, JsonValue]) -> bool:
    try:
        UUID(str(fields.get("id")))
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class _Verified:
    caller: Caller
    expires_at: float


class SupabaseIdentity:
    """Verifies tokens, and asks the database for the role behind them.

    Concurrency: any number of tasks; those that present the same token share one verification.
    """

    def __init__(self, auth: AsyncGoTrueClient, service: AsyncClient, *, clock: Clock) -> None:
        self._auth = auth
        self._service = service
        self._clock = clock
        self._kept: OrderedDict[bytes, SharedRead[_Verified]] = OrderedDict()

    async def identify(self, token: str) -> Caller:
        """Return whose token this is, as of at most 30 s ago.

        Raises: Unauthenticated for anything but a user's valid token, BackendError when it could not be verified.
        """
        if not token.isascii() or not 0 < len(token) <= _TOKEN_CHARS:
            raise Unauthenticated("The token is none.")
        # Memory must not hold anything that opens somebody's session.
        digest = hashlib.sha256(token.encode()).digest()
        kept = self._find(digest)
        try:
            verified = await kept.get(lambda: self._verify(token))
        except BaseException:
            if kept.is_empty and self._kept.get(digest) is kept:
                del self._kept[digest]
            raise
        if verified.expires_at <= self._clock.now().timestamp():
            raise Unauthenticated("The token has expired.")
        return verified.caller

    def _find(self, digest: bytes) -> SharedRead[_Verified]:
        """Return the cache entry of a token's verification; beyond the limit, evict the least recently used one.

        A role revoked after the verification began is honoured no longer than the entry is valid.
        """
        kept = self._kept.get(digest)
        if kept is None:
            kept = self._kept[digest] = SharedRead(_KEPT_FOR, self._clock, patience=_PATIENCE)
        self._kept.move_to_end(digest)
        while len(self._kept) > _KEPT_AT_MOST:
            self._kept.popitem(last=False)
        return kept

    async def _verify(self, token: str) -> _Verified:
        user_id, expires_at = await self._read_claims(token)
        return _Verified(Caller(user_id=user_id, is_owner=await self._is_owner(user_id)), expires_at)

    async def _read_claims(self, token: str) -> tuple[UUID, float]:
        try:
            # First, so that a token refused whatever its signature costs Auth no call.
            claims = read_claims(token, self._clock.now())
            verified = await self._auth.get_claims(token)
            assert verified is not None  # that would be the answer to no token at all
            return UUID(claims.sub), float(claims.exp)
        except BackendError:
            raise
        except (httpx.TransportError, AuthRetryableError) as error:
            raise BackendUnavailable(f"get_claims: Auth did not answer ({type(error).__name__}).") from error
        except Exception as error:
            if _is_service_key(token):
                raise Unauthenticated("A service key came instead of a user's token.", sentence=_SERVICE_KEY) from error
            # The caller writes the token: whatever it makes the libraries raise, it is not valid.
            raise Unauthenticated(f"get_claims: {type(error).__name__}.") from error

    async def _is_owner(self, user_id: UUID) -> bool:
        with translated("has_role"):
            answer = await self._service.rpc("has_role", {"_user_id": str(user_id), "_role": OWNER_ROLE}).execute()
            return _FLAG.validate_python(answer.data)


def _is_service_key(token: str) -> bool:
    """Return whether a refused token claims to be a service key; unverified, so used only to word the refusal."""
    if token.startswith("sb_secret_"):
        return True
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return False
    return isinstance(claims, dict) and claims.get("role") == "service_role" and "sub" not in claims
