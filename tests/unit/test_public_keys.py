"""Whatever keys an untrusted caller's tokens name, the auth server is asked for the real ones once in a while."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from pydantic import HttpUrl, SecretStr
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthInvalidJwtError, AuthRetryableError
from support.clock import FakeClock

from shared.errors import BackendUnavailable
from workers.backend.identity import open_auth
from workers.settings import SupabaseSettings

SETTINGS = SupabaseSettings(url=HttpUrl("http://project"), service_key=SecretStr("a-key"))


class AuthServer:
    """Publishes its keys, and counts who asks."""

    def __init__(self) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.asked = 0
        self.fault: int | Exception | httpx.Response | None = None
        self.is_asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/auth/v1/.well-known/jwks.json"
        self.asked += 1
        self.is_asked.set()
        await self.answers.wait()
        if isinstance(self.fault, Exception):
            raise self.fault
        if isinstance(self.fault, httpx.Response):
            return self.fault
        if self.fault is not None:
            return httpx.Response(self.fault)
        keys = [ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} for kid, key in self.keys.items()]
        return httpx.Response(200, json={"keys": keys})

    def publish(self, kid: str) -> None:
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def sign(self, kid: str) -> str:
        key = self.keys.get(kid) or ec.generate_private_key(ec.SECP256R1())
        claims: dict[str, Any] = {"sub": str(uuid4()), "exp": int(time.time()) + 600}
        return jwt.encode(claims, key, "ES256", headers={"kid": kid})


@pytest.fixture
def server() -> AuthServer:
    server = AuthServer()
    server.publish("ours")
    return server


@pytest.fixture
async def auth(server: AuthServer, clock: FakeClock) -> AsyncIterator[AsyncGoTrueClient]:
    async with open_auth(SETTINGS, clock=clock, network=httpx.MockTransport(server.answer)) as auth:
        yield auth


async def refused(auth: AsyncGoTrueClient, token: str) -> None:
    with pytest.raises(AuthInvalidJwtError):
        await auth.get_claims(token)


async def test_a_thousand_made_up_keys_cost_the_auth_server_one_call(
    auth: AsyncGoTrueClient, server: AuthServer
) -> None:
    await asyncio.gather(*(refused(auth, server.sign(f"made-up-{n}")) for n in range(1000)))

    assert await auth.get_claims(server.sign("ours"))
    assert server.asked == 1


async def test_a_new_key_is_known_within_ten_seconds(
    auth: AsyncGoTrueClient, server: AuthServer, clock: FakeClock
) -> None:
    await refused(auth, server.sign("made-up"))
    server.publish("new")

    clock.advance(timedelta(seconds=9))
    await refused(auth, server.sign("new"))
    clock.advance(timedelta(seconds=1))
    assert await auth.get_claims(server.sign("new"))
    assert server.asked == 2


@pytest.mark.parametrize("fault", [503, httpx.ConnectError("gone")])
async def test_an_auth_server_that_is_away_is_left_in_peace_for_a_second(
    auth: AsyncGoTrueClient, server: AuthServer, clock: FakeClock, fault: int | Exception
) -> None:
    server.fault = fault
    for n in range(20):
        with pytest.raises((BackendUnavailable, AuthRetryableError)):
            await auth.get_claims(server.sign(f"made-up-{n}"))
    assert server.asked == 1

    server.fault = None
    clock.advance(timedelta(seconds=1))
    assert await auth.get_claims(server.sign("ours"))


@pytest.mark.parametrize(
    "page",
    [
        "<html>Please wait</html>",
        '{"message":"paused"}',
        '{"keys":"none"}',
        '{"keys":[1]}',
        '{"keys":[{"kty":"EC"}]}',
        "",
    ],
)
async def test_what_is_no_list_of_keys_is_no_fault_of_a_token_and_not_kept(
    auth: AsyncGoTrueClient, server: AuthServer, clock: FakeClock, page: str
) -> None:
    server.fault = httpx.Response(200, text=page, headers={"content-type": "application/json"})
    with pytest.raises((BackendUnavailable, AuthRetryableError)):
        await auth.get_claims(server.sign("ours"))

    server.fault = None
    clock.advance(timedelta(seconds=1))
    assert await auth.get_claims(server.sign("ours"))


async def test_an_answer_that_is_stuck_hangs_nobody_who_comes_later(server: AuthServer, clock: FakeClock) -> None:
    settings = SETTINGS.model_copy(update={"timeout": timedelta(seconds=0.3)})
    server.answers.clear()
    async with open_auth(settings, clock=clock, network=httpx.MockTransport(server.answer)) as auth:
        stuck = asyncio.create_task(auth.get_claims(server.sign("ours")))
        await server.is_asked.wait()

        server.answers = asyncio.Event()
        server.answers.set()
        clock.advance(timedelta(seconds=1.1))
        assert await auth.get_claims(server.sign("ours"))

        with pytest.raises((BackendUnavailable, AuthRetryableError)):
            await stuck
    assert server.asked == 2


async def test_whoever_leaves_takes_the_answer_from_nobody(auth: AsyncGoTrueClient, server: AuthServer) -> None:
    server.answers.clear()
    first, second = (asyncio.create_task(auth.get_claims(server.sign("ours"))) for _ in range(2))
    await server.is_asked.wait()

    first.cancel()
    server.answers.set()

    assert await second
    assert server.asked == 1
