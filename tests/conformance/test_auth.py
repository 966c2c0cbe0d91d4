"""Auth as the official clients meet it, and tokens as every service judges them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from supabase_auth.errors import AuthApiError
from support.clients import Puppet, execute, session_of, user_of
from support.people import VIEWER_EMAIL

from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack, Tuning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager

    import httpx
    from supabase import AsyncClient
    from supabase_auth.types import (
        AdminUserAttributes,
        SignInWithEmailAndPasswordCredentials,
        SignUpWithEmailAndPasswordCredentials,
    )

    Connect = Callable[..., Awaitable[AsyncClient]]
    JavaScript = Callable[..., Awaitable[Puppet]]
    OpenStack = Callable[..., AbstractContextManager[Stack]]

CREDENTIALS: SignInWithEmailAndPasswordCredentials = {"email": OWNER_EMAIL, "password": OWNER_PASSWORD}


async def test_the_python_client_signs_in_and_acts_as_the_owner(stack: Stack, connect: Connect) -> None:
    client = await connect(stack)

    answer = await client.auth.sign_in_with_password(CREDENTIALS)
    runs = await client.rpc("get_hq_recent_runs", {"limit_count": 50}).execute()
    roles = await client.table("user_roles").select("role").eq("user_id", user_of(answer).id).execute()

    assert (user_of(answer).email, session_of(answer).token_type) == (OWNER_EMAIL, "bearer")
    assert isinstance(runs.data, list)
    assert {"role": "owner"} in roles.data


async def test_the_javascript_client_signs_in_and_acts_as_the_owner(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)

    answer = await page.ask("signIn", **CREDENTIALS)
    runs = await page.ask("rpc", name="get_hq_recent_runs", args={"limit_count": 50})

    assert answer["error"] is None
    assert answer["data"]["session"]["expires_in"] == 3600
    assert runs["error"] is None


async def test_a_wrong_password_is_refused_in_the_words_that_the_page_looks_for(
    stack: Stack, connect: Connect, javascript: JavaScript
) -> None:
    client, page = await connect(stack), await javascript(stack)

    with pytest.raises(AuthApiError) as refusal:
        await client.auth.sign_in_with_password({"email": OWNER_EMAIL, "password": "wrong"})
    answer = await page.ask("signIn", email="nobody@emocare.test", password="wrong")

    assert (refusal.value.message, refusal.value.status) == ("Invalid login credentials", 400)
    assert refusal.value.code == answer["error"]["code"] == "invalid_credentials"
    assert answer["error"]["message"] == "Invalid login credentials"


async def test_a_client_of_the_first_api_version_gets_its_older_error_shape(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    answer = await http.post(
        f"{stack.url}/auth/v1/token?grant_type=password",
        json={"email": OWNER_EMAIL, "password": "wrong"},
        headers={"apikey": stack.anon_key},
    )

    assert answer.json() == {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}


@pytest.mark.parametrize("body", ["nonsense", "[]", "{}", '{"email": 1, "password": {}}'])
async def test_a_malformed_sign_in_is_refused_politely(stack: Stack, http: httpx.AsyncClient, body: str) -> None:
    url = f"{stack.url}/auth/v1/token?grant_type=password"
    answer = await http.post(url, content=body, headers={"apikey": stack.anon_key})

    assert answer.status_code == 400
    assert answer.json()["error_code"] in {"bad_json", "validation_failed"}


async def test_the_public_keys_verify_a_users_token(stack: Stack, connect: Connect, javascript: JavaScript) -> None:
    client, page = await connect(stack, "owner"), await javascript(stack)
    await page.ask("signIn", **CREDENTIALS)

    by_python = await client.auth.get_claims()
    by_javascript = (await page.ask("getClaims"))["data"]

    assert by_python is not None
    verified: list[tuple[Mapping[str, object], Mapping[str, object]]] = [
        (by_python["claims"], by_python["headers"]),
        (by_javascript["claims"], by_javascript["header"]),
    ]
    for claims, header in verified:
        assert header["alg"] == "ES256"
        assert (claims["email"], claims["role"], claims["aud"]) == (OWNER_EMAIL, "authenticated", "authenticated")
        assert claims["iss"] == f"{stack.url}/auth/v1"
        assert claims["session_id"]


async def test_a_refresh_token_from_before_the_last_exchange_ends_the_session(stack: Stack, connect: Connect) -> None:
    client = await connect(stack)
    first = session_of(await client.auth.sign_in_with_password(CREDENTIALS))

    second = session_of(await client.auth.refresh_session(first.refresh_token))
    assert second.refresh_token != first.refresh_token
    assert user_of(await client.auth.get_user(second.access_token)).email == OWNER_EMAIL
    third = session_of(await client.auth.refresh_session(second.refresh_token))

    with pytest.raises(AuthApiError, match="Invalid Refresh Token: Already Used"):
        await client.auth.refresh_session(first.refresh_token)
    with pytest.raises(AuthApiError, match="Invalid Refresh Token: Already Used"):
        await client.auth.refresh_session(third.refresh_token)
    with pytest.raises(AuthApiError, match="Invalid Refresh Token: Refresh Token Not Found"):
        await client.auth.refresh_session("unheard of")


async def test_a_page_that_never_got_the_answer_may_ask_for_it_again(stack: Stack, connect: Connect) -> None:
    client = await connect(stack)
    first = session_of(await client.auth.sign_in_with_password(CREDENTIALS))
    lost = session_of(await client.auth.refresh_session(first.refresh_token))

    again = session_of(await client.auth.refresh_session(first.refresh_token))

    assert again.refresh_token == lost.refresh_token
    assert session_of(await client.auth.refresh_session(again.refresh_token)).refresh_token != again.refresh_token


async def test_the_javascript_client_refreshes_its_session(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    first = (await page.ask("signIn", **CREDENTIALS))["data"]["session"]

    second = (await page.ask("refresh"))["data"]["session"]

    assert second["refresh_token"] != first["refresh_token"]
    assert second["user"]["email"] == OWNER_EMAIL


async def test_signing_out_ends_the_session_everywhere(stack: Stack, connect: Connect) -> None:
    client, elsewhere = await connect(stack), await connect(stack)
    here = session_of(await client.auth.sign_in_with_password(CREDENTIALS))
    there = session_of(await elsewhere.auth.sign_in_with_password(CREDENTIALS))

    await client.auth.sign_out()

    for token in (here.access_token, there.access_token):
        with pytest.raises(AuthApiError, match="Session from session_id claim in JWT does not exist"):
            await client.auth.get_user(token)


async def test_signing_out_locally_leaves_the_other_sessions(stack: Stack, connect: Connect) -> None:
    client, elsewhere = await connect(stack, "owner"), await connect(stack, "owner")

    await client.auth.sign_out({"scope": "local"})

    assert user_of(await elsewhere.auth.get_user()).email == OWNER_EMAIL


async def ask_everybody(stack: Stack, http: httpx.AsyncClient, token: str) -> list[int]:
    """Show a token to Auth, PostgREST and Realtime; return their status codes."""
    headers = {"apikey": stack.anon_key, "authorization": f"Bearer {token}"}
    broadcast = {"messages": [{"topic": "t", "event": "e", "payload": {}}]}
    answers = [
        await http.get(f"{stack.url}/auth/v1/user", headers=headers),
        await http.get(f"{stack.url}/rest/v1/user_roles?select=role", headers=headers),
        await http.post(f"{stack.url}/realtime/v1/api/broadcast", json=broadcast, headers=headers),
    ]
    return [answer.status_code for answer in answers]


def forge(claims: dict[str, Any]) -> str:
    """Sign with a key of one's own."""
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256")


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
async def test_every_service_accepts_both_kinds_of_token(stack: Stack, http: httpx.AsyncClient, algorithm: str) -> None:
    owner_id = str(execute(stack, "select id from auth.users where email = %s", [OWNER_EMAIL]))
    token = stack.mint_token(sub=owner_id, legacy=algorithm == "HS256")

    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert await ask_everybody(stack, http, token) == [200, 200, 202]


async def test_every_service_refuses_a_token_signed_by_somebody_else(stack: Stack, http: httpx.AsyncClient) -> None:
    owner_id = str(execute(stack, "select id from auth.users where email = %s", [OWNER_EMAIL]))
    claims = {"sub": owner_id, "role": "authenticated", "exp": int(time.time()) + 60}

    assert await ask_everybody(stack, http, forge(claims)) == [403, 401, 401]
    assert await ask_everybody(stack, http, jwt.encode(claims, "x" * 40, "HS256")) == [403, 401, 401]


async def test_every_service_refuses_an_expired_token(stack: Stack, http: httpx.AsyncClient) -> None:
    """PostgREST, here as hosted, forgives the clock half a minute."""
    assert await ask_everybody(stack, http, stack.mint_token(expires_in=-60)) == [403, 401, 401]


async def test_a_token_is_refused_once_its_time_is_over(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack(tuning=Tuning(token_seconds=3)) as stack:
        client = await connect(stack)
        session = session_of(await client.auth.sign_in_with_password(CREDENTIALS))
        assert user_of(await client.auth.get_user(session.access_token)).email == OWNER_EMAIL

        assert session.expires_at is not None
        await asyncio.sleep(session.expires_at + 0.1 - time.time())

        with pytest.raises(AuthApiError, match="token is expired") as refusal:
            await client.auth.get_user(session.access_token)
        assert (refusal.value.status, refusal.value.code) == (403, "bad_jwt")


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("", 401, "no_authorization"),
        ("Bearer nonsense", 403, "bad_jwt"),
        ("Bearer {anon}", 403, "bad_jwt"),
        ("Bearer {unknown}", 403, "user_not_found"),
    ],
)
async def test_who_is_this_is_answered_only_for_a_users_token(
    stack: Stack, http: httpx.AsyncClient, header: str, status: int, code: str
) -> None:
    unknown = stack.mint_token(sub="00000000-0000-4000-8000-000000000000")
    headers = {"apikey": stack.anon_key, "authorization": header.format(anon=stack.anon_key, unknown=unknown)}

    answer = await http.get(f"{stack.url}/auth/v1/user", headers=headers)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_the_service_creates_users_and_nobody_else_does(stack: Stack, connect: Connect) -> None:
    service, owner = await connect(stack, key=stack.secret_key), await connect(stack, "owner")
    wanted: AdminUserAttributes = {
        "email": "Nouveau@emocare.test",
        "password": "un-mot-de-passe",
        "email_confirm": True,
    }

    created = (await service.auth.admin.create_user(wanted)).user
    with pytest.raises(AuthApiError, match="already been registered"):
        await service.auth.admin.create_user(wanted)
    with pytest.raises(AuthApiError, match="User not allowed"):
        await owner.auth.admin.create_user({"email": "x@emocare.test"})

    assert created.email is not None
    session = await owner.auth.sign_in_with_password({"email": created.email, "password": "un-mot-de-passe"})
    assert user_of(session).id == created.id


async def test_a_banned_user_cannot_sign_in(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack() as stack:
        execute(stack, "update auth.users set banned_until = now() + interval '1 hour'")
        client = await connect(stack)

        with pytest.raises(AuthApiError, match="User is banned"):
            await client.auth.sign_in_with_password(CREDENTIALS)


async def test_a_user_who_is_banned_meanwhile_is_refused_by_auth_and_not_by_postgrest(
    open_stack: OpenStack, http: httpx.AsyncClient
) -> None:
    with open_stack() as stack:
        headers = {"apikey": stack.anon_key, "authorization": f"Bearer {stack.sign_in()}"}
        execute(stack, "update auth.users set banned_until = now() + interval '1 hour'")

        user = await http.get(f"{stack.url}/auth/v1/user", headers=headers)
        rows = await http.get(f"{stack.url}/rest/v1/user_roles?select=role", headers=headers)

    assert (user.status_code, user.json()["error_code"], rows.status_code) == (403, "user_banned", 200)


async def test_whoever_wants_creates_an_account_where_the_project_allows_it(
    open_stack: OpenStack, connect: Connect, stack: Stack
) -> None:
    wanted: SignUpWithEmailAndPasswordCredentials = {"email": "Quelquun@emocare.test", "password": "un-mot-de-passe"}
    with pytest.raises(AuthApiError, match="Signups not allowed"):
        await (await connect(stack)).auth.sign_up(wanted)

    with open_stack(tuning=Tuning(sign_up=True)) as open_project:
        client = await connect(open_project)
        created = await client.auth.sign_up(wanted)
        assert created.session is not None
        assert user_of(await client.auth.get_user()).email == "quelquun@emocare.test"
        with pytest.raises(AuthApiError, match="already registered"):
            await (await connect(open_project)).auth.sign_up(wanted)


async def test_a_forgotten_password_is_answered_alike_for_known_and_unknown_people(
    stack: Stack, connect: Connect, http: httpx.AsyncClient
) -> None:
    known, unknown = [
        await http.post(f"{stack.url}/auth/v1/recover", headers={"apikey": stack.anon_key}, json={"email": email})
        for email in (VIEWER_EMAIL, "nobody@emocare.test")
    ]

    assert (known.status_code, known.json()) == (200, {})
    assert (unknown.status_code, unknown.content) == (known.status_code, known.content)
    # The official client reads the answer as a success.
    await (await connect(stack)).auth.reset_password_for_email("nobody@emocare.test")


async def test_health_and_settings_are_public(stack: Stack, http: httpx.AsyncClient) -> None:
    health = await http.get(f"{stack.url}/auth/v1/health", headers={"apikey": stack.anon_key})
    settings = await http.get(f"{stack.url}/auth/v1/settings", headers={"apikey": stack.anon_key})

    assert (health.status_code, health.json()["name"]) == (200, "GoTrue")
    assert settings.json()["external"]["email"] is True
