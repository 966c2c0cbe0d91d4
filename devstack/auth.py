"""Auth, as far as this project uses it: passwords, rotating refresh tokens, who is this, and the public keys.

It speaks the wire of the hosted service (GoTrue) to the official clients; accounts live in `auth.users`.
Run: `python -m devstack.auth --port N`; DEVSTACK_DATA, DEVSTACK_AUTH_DATABASE_URL, DEVSTACK_URL,
AUTH_TOKEN_SECONDS and AUTH_SIGN_UP (1 lets anybody create an account) come from the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.accounts import Accounts, AuthError, Row, check_password
from devstack.keys import Claims, ExpiredTokenError, Keys, TokenError
from devstack.processes import HOST

if TYPE_CHECKING:
    from starlette.requests import Request

_VERSION_HEADER: Final = "x-supabase-api-version"
_FIRST_VERSION_WITH_CODES: Final = "2024-01-01"
_PASSWORD_CHARS: Final = 6


def render_user(user: Row) -> Row:
    """Render an account as the clients parse it."""
    shown = {
        name: user[name].isoformat() if user[name] else None
        for name in ("email_confirmed_at", "last_sign_in_at", "created_at", "updated_at")
    }
    return {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"],
        "phone": "",
        "app_metadata": user["raw_app_meta_data"],
        "user_metadata": user["raw_user_meta_data"],
        "identities": [],
        "is_anonymous": False,
        "confirmed_at": shown["email_confirmed_at"],
        **shown,
    }


class Auth:
    """The endpoints."""

    def __init__(
        self, keys: Keys, accounts: Accounts, url: str, token_seconds: int, *, allows_sign_up: bool = False
    ) -> None:
        self._keys = keys
        self._allows_sign_up = allows_sign_up
        self._accounts = accounts
        self._issuer = f"{url}/auth/v1"
        self._token_seconds = token_seconds

    def build_app(self) -> Starlette:
        """Build the ASGI application."""
        return Starlette(
            routes=[
                Route("/health", self.health, methods=["GET"]),
                Route("/settings", self.settings, methods=["GET"]),
                Route("/.well-known/jwks.json", self.jwks, methods=["GET"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/signup", self.sign_up, methods=["POST"]),
                Route("/user", self.user, methods=["GET"]),
                Route("/logout", self.logout, methods=["POST"]),
                Route("/recover", self.recover, methods=["POST"]),
                Route("/admin/users", self.create_user, methods=["POST"]),
            ],
            exception_handlers={AuthError: _answer_refusal, HTTPException: _answer_unrouted},
        )

    async def health(self, _request: Request) -> Response:
        """Answer that Auth is up."""
        return JSONResponse({"version": "devstack", "name": "GoTrue", "description": "Auth of the devstack"})

    async def settings(self, _request: Request) -> Response:
        """Return what is enabled: e-mail and password, and sign-up where it is allowed."""
        settings = {"disable_signup": not self._allows_sign_up, "mailer_autoconfirm": True}
        return JSONResponse({"external": {"email": True, "phone": False}, **settings})

    async def sign_up(self, request: Request) -> Response:
        """Create an account that is confirmed at once, and sign it in, where the project allows it."""
        if not self._allows_sign_up:
            raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")
        body = await _read_json(request)
        email, password = str(body.get("email") or "").strip().lower(), body.get("password")
        if "@" not in email or not isinstance(password, str):
            raise AuthError(400, "validation_failed", "Signup requires a valid email and password")
        if len(password) < _PASSWORD_CHARS:
            raise AuthError(422, "weak_password", f"Password should be at least {_PASSWORD_CHARS} characters.")
        app_data = {"provider": "email", "providers": ["email"]}
        user = await self._accounts.create_user(email, password, app_data, body.get("data") or {})
        if user is None:
            raise AuthError(422, "user_already_exists", "User already registered")
        return JSONResponse(await self._sign_in(email, password))

    async def jwks(self, _request: Request) -> Response:
        """Publish the key that verifies our tokens."""
        return JSONResponse({"keys": [self._keys.public_jwk]}, headers={"cache-control": "public, max-age=600"})

    async def token(self, request: Request) -> Response:
        """Sign in by password, or renew by refresh token."""
        body = await _read_json(request)
        match request.query_params.get("grant_type"):
            case "password":
                return JSONResponse(await self._sign_in(body.get("email"), body.get("password")))
            case "refresh_token":
                used, following = await self._accounts.rotate(str(body.get("refresh_token")))
                user = await self._accounts.find_user("id", str(used["user_id"]))
                assert user is not None
                return JSONResponse(self._render_session(user, used["session_id"], following))
            case other:
                raise AuthError(400, "invalid_credentials", f"unsupported_grant_type: {other}")

    async def _sign_in(self, email: object, password: object) -> Row:
        if not isinstance(email, str) or not isinstance(password, str):
            raise AuthError(400, "validation_failed", "missing email or phone")
        user = await self._accounts.find_user("email", email.strip().lower())
        # The hash takes tens of milliseconds, which the loop should not spend.
        if user is None or not await asyncio.to_thread(check_password, password, user["encrypted_password"]):
            raise AuthError(400, "invalid_credentials", "Invalid login credentials")
        if _is_banned(user):
            raise AuthError(400, "user_banned", "User is banned")
        if user["email_confirmed_at"] is None:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        session_id, refresh_token = await self._accounts.open_session(user["id"])
        return self._render_session(await self._accounts.note_sign_in(user["id"]), session_id, refresh_token)

    def _render_session(self, user: Row, session_id: uuid.UUID, refresh_token: str) -> Row:
        now = int(time.time())
        expires_at = now + self._token_seconds
        claims = {
            "iss": self._issuer,
            "sub": str(user["id"]),
            "aud": user["aud"],
            "exp": expires_at,
            "iat": now,
            "email": user["email"],
            "phone": "",
            "app_metadata": user["raw_app_meta_data"],
            "user_metadata": user["raw_user_meta_data"],
            "role": user["role"],
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": now}],
            "session_id": str(session_id),
            "is_anonymous": False,
        }
        return {
            "access_token": self._keys.sign(claims),
            "token_type": "bearer",
            "expires_in": self._token_seconds,
            "expires_at": expires_at,
            "refresh_token": refresh_token,
            "user": render_user(user),
        }

    def _verify_bearer(self, request: Request) -> Claims:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            return self._keys.verify(token)
        except ExpiredTokenError:
            reason = "token has invalid claims: token is expired"
        except TokenError as error:
            reason = str(error)
        raise AuthError(403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {reason}")

    async def _identify(self, request: Request) -> tuple[Claims, Row]:
        claims = self._verify_bearer(request)
        if not _is_uuid(claims.get("sub")):
            raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        user = await self._accounts.find_user("id", claims["sub"])
        if user is None:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if _is_banned(user):
            raise AuthError(403, "user_banned", "User is banned")
        session_id = claims.get("session_id")
        if session_id is not None and not await self._accounts.has_session(session_id):
            raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return claims, user

    async def user(self, request: Request) -> Response:
        """Return the user of the token."""
        _claims, user = await self._identify(request)
        return JSONResponse(render_user(user))

    async def logout(self, request: Request) -> Response:
        """End the sessions named by `scope`; access tokens live on until they expire, except for `/user`."""
        claims, _user = await self._identify(request)
        scope = request.query_params.get("scope", "global")
        await self._accounts.end_sessions(claims["sub"], claims.get("session_id"), scope)
        return Response(status_code=204)

    async def recover(self, request: Request) -> Response:
        """Answer as if a mail were sent; none is."""
        await _read_json(request)
        return JSONResponse({})

    async def create_user(self, request: Request) -> Response:
        """Create an account, for the service only."""
        if self._verify_bearer(request).get("role") not in {"service_role", "supabase_admin"}:
            raise AuthError(403, "not_admin", "User not allowed")
        body = await _read_json(request)
        email = str(body.get("email") or "").strip().lower()
        if "@" not in email:
            raise AuthError(400, "validation_failed", "Cannot create a user without either an email or phone")
        app_data = {"provider": "email", "providers": ["email"], **(body.get("app_metadata") or {})}
        user = await self._accounts.create_user(email, body.get("password"), app_data, body.get("user_metadata") or {})
        if user is None:
            raise AuthError(422, "email_exists", "A user with this email address has already been registered")
        return JSONResponse(render_user(user))


async def _read_json(request: Request) -> Row:
    try:
        body = await request.json()
    except json.JSONDecodeError as error:
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {error}") from error
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: not an object")
    return body


def _is_banned(user: Row) -> bool:
    return user["banned_until"] is not None and user["banned_until"].timestamp() > time.time()


def _is_uuid(text: object) -> bool:
    try:
        uuid.UUID(str(text))
    except ValueError:
        return False
    return True


async def _answer_refusal(request: Request, error: Exception) -> Response:
    """Word a refusal as the client's version of the API expects it."""
    assert isinstance(error, AuthError)
    version = request.headers.get(_VERSION_HEADER, "")
    if version >= _FIRST_VERSION_WITH_CODES:
        return JSONResponse(
            {"code": error.code, "message": error.message},
            error.status,
            {_VERSION_HEADER: _FIRST_VERSION_WITH_CODES},
        )
    return JSONResponse({"code": error.status, "error_code": error.code, "msg": error.message}, error.status)


async def _answer_unrouted(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"code": error.status_code, "msg": error.detail}, error.status_code)


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="devstack.auth")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    auth = Auth(
        Keys.open(Path(os.environ["DEVSTACK_DATA"])),
        Accounts(os.environ["DEVSTACK_AUTH_DATABASE_URL"]),
        os.environ["DEVSTACK_URL"],
        int(os.environ.get("AUTH_TOKEN_SECONDS", "3600")),
        allows_sign_up=os.environ.get("AUTH_SIGN_UP") == "1",
    )
    uvicorn.run(auth.build_app(), host=HOST, port=port, log_level="warning", lifespan="off", timeout_keep_alive=75)


if __name__ == "__main__":
    main()
