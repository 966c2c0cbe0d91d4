"""The accounts and sessions behind Auth, in the tables that the platform brings."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import uuid
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]

_SCRYPT: Final = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class AuthError(Exception):
    """A refusal in the words of the hosted service."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Accounts:
    """The accounts and sessions in the database, over one connection that is renewed when it breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._lock = asyncio.Lock()
        self._connection: psycopg.AsyncConnection[Row] | None = None

    async def find_user(self, column: str, value: str) -> Row | None:
        """Find the account with this `id` or `email`."""
        assert column in {"id", "email"}
        return await self._fetch(f"select * from auth.users where {column} = %s", [value])

    async def note_sign_in(self, user_id: uuid.UUID) -> Row:
        """Remember when the user came, and return the account."""
        user = await self._fetch("update auth.users set last_sign_in_at = now() where id = %s returning *", [user_id])
        assert user is not None
        return user

    async def create_user(self, email: str, password: str | None, app: Row, own: Row) -> Row | None:
        """Create a confirmed account; None if the address is taken."""
        return await self._fetch(
            "insert into auth.users"
            " (id, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data)"
            " values (gen_random_uuid(), %s, %s, now(), %s, %s) on conflict do nothing returning *",
            [email, hash_password(password) if password else None, Jsonb(app), Jsonb(own)],
        )

    async def open_session(self, user_id: uuid.UUID) -> tuple[uuid.UUID, str]:
        """Start a session with its first refresh token."""
        session_id, token = uuid.uuid4(), secrets.token_urlsafe(12)
        await self._fetch(
            "insert into auth.refresh_tokens (token, user_id, session_id) values (%s, %s, %s)",
            [token, user_id, session_id],
        )
        return session_id, token

    async def rotate(self, token: str) -> tuple[Row, str]:
        """Exchange a refresh token for the next one of its session.

        A client that uses the token before the current one again never got the answer (the page was reloaded, the
        line was cut): it gets the current one. Raises: AuthError; an older token costs the whole session.
        """
        following = secrets.token_urlsafe(12)
        used = await self._fetch(
            "with used as (update auth.refresh_tokens set revoked = true, updated_at = now()"
            " where token = %(token)s and not revoked returning user_id, session_id),"
            " issued as (insert into auth.refresh_tokens (token, parent, user_id, session_id)"
            " select %(following)s, %(token)s, user_id, session_id from used)"
            " select user_id, session_id, %(following)s::text as token from used union all"
            " select user_id, session_id, token from auth.refresh_tokens where parent = %(token)s and not revoked",
            {"token": token, "following": following},
        )
        if used is not None:
            return used, used["token"]
        ended = await self._fetch(
            "with used as (select session_id from auth.refresh_tokens where token = %s)"
            " update auth.refresh_tokens set revoked = true, updated_at = now()"
            " where session_id in (select session_id from used) returning session_id",
            [token],
        )
        if ended is not None:
            raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
        raise AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")

    async def has_session(self, session_id: str) -> bool:
        """Whether nobody has ended the session."""
        return (
            await self._fetch(
                "select 1 from auth.refresh_tokens where session_id = %s and not revoked limit 1", [session_id]
            )
            is not None
        )

    async def end_sessions(self, user_id: str, session_id: str | None, scope: str) -> None:
        """End all sessions of a user, this one, or the others."""
        await self._fetch(
            "delete from auth.refresh_tokens where user_id = %(user)s and case %(scope)s"
            " when 'local' then session_id = %(session)s when 'others' then session_id <> %(session)s"
            " else true end",
            {"user": user_id, "session": session_id, "scope": scope},
        )

    async def _fetch(self, query: str, parameters: Sequence[object] | Row) -> Row | None:
        """Run a statement and return its first row, on a new connection if the old one is dead."""
        async with self._lock:
            for attempt in (1, 2):
                if self._connection is None:
                    self._connection = await psycopg.AsyncConnection.connect(
                        self._dsn, autocommit=True, connect_timeout=5, row_factory=dict_row
                    )
                try:
                    cursor = await self._connection.execute(query.encode(), parameters)
                    return await cursor.fetchone() if cursor.description else None
                except psycopg.OperationalError:
                    was_broken = self._connection.broken
                    with contextlib.suppress(psycopg.Error):
                        await self._connection.close()
                    self._connection = None
                    if attempt == 2 or not was_broken:
                        raise
            raise AssertionError


def hash_password(password: str) -> str:
    """Hash a password as `scrypt$<salt>$<key>`, in hexadecimal."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${hashlib.scrypt(password.encode(), salt=salt, **_SCRYPT).hex()}"


def check_password(password: str, stored: str | None) -> bool:
    """Compare a password with what is stored."""
    scheme, _, rest = (stored or "").partition("$")
    salt, _, key = rest.partition("$")
    if scheme != "scrypt":
        return False
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex()
    return hmac.compare_digest(found, key)
