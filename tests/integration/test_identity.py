"""Who is calling: whatever token comes, it is the right person's, or nobody's."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from support.clock import FakeClock
from support.database import OWNER, VIEWER
from support.hq import Hq
from support.identity import open_identity

from devstack.controls import FAULTS
from shared.errors import BackendUnavailable, Unauthenticated
from workers.backend.http import SupabaseHttp
from workers.backend.identity import SupabaseIdentity
from workers.clock import SystemClock
from workers.ports import Caller


@pytest.fixture
async def identity(hq: Hq) -> AsyncIterator[SupabaseIdentity]:
    async with AsyncExitStack() as stack:
        yield await open_identity(stack, hq)


def _clock() -> FakeClock:
    """Hold a clock that shows the time of those who sign tokens."""
    clock = FakeClock()
    clock.advance(SystemClock().now() - clock.now())
    return clock


def _sign(kid: str | None = None, **claims: Any) -> str:
    """Sign with a key of one's own."""
    given = {"sub": str(OWNER), "role": "authenticated", "aud": "authenticated", "exp": int(time.time()) + 60}
    headers = None if kid is None else {"kid": kid}
    return jwt.encode(given | claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers=headers)


@pytest.mark.parametrize("legacy", [False, True])
async def test_both_kinds_of_token_identify_the_caller(hq: Hq, identity: SupabaseIdentity, legacy: bool) -> None:  # noqa: FBT001 - a parameter
    tokens = [hq.stack.mint_token(sub=str(person), legacy=legacy) for person in (OWNER, VIEWER)]

    owner, viewer = [await identity.identify(token) for token in tokens]

    assert owner == Caller(user_id=OWNER, is_owner=True)
    assert viewer == Caller(user_id=VIEWER, is_owner=False)


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_ban_is_noticed_in_thirty_seconds_or_at_expiry_and_a_lost_role_in_thirty_seconds(
    hq: Hq,
    legacy: bool,  # noqa: FBT001 - a parameter
) -> None:
    """What decision 324 says of the two kinds of tokens."""
    clock = _clock()
    token = hq.stack.mint_token(sub=str(OWNER), legacy=legacy)
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq, clock=clock)
        assert (await identity.identify(token)).is_owner
        hq.rows("update auth.users set banned_until = now() + interval '1 hour' returning 1")
        clock.advance(timedelta(seconds=31))

        if legacy:
            with pytest.raises(Unauthenticated):
                await identity.identify(token)
        else:
            assert (await identity.identify(token)).is_owner
            hq.rows("delete from public.user_roles where user_id = %s returning 1", OWNER)
            clock.advance(timedelta(seconds=31))
            assert not (await identity.identify(token)).is_owner


@pytest.mark.parametrize("key", ["secret_key", "service_role_key"])
async def test_the_workers_key_may_be_of_either_kind(hq: Hq, key: str) -> None:
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq, key=getattr(hq.stack, key))

        assert (await identity.identify(hq.stack.sign_in())).user_id == OWNER


NOBODYS: dict[str, Callable[[Hq], str]] = {
    "empty": lambda _: "",
    "no token": lambda _: "nonsense",
    "three parts of nothing": lambda _: "a.b.c",
    "not ascii": lambda _: "été.é.é",
    "endless": lambda _: "x" * 100_000,
    "the anon key": lambda hq: hq.stack.anon_key,
    "the service key": lambda hq: hq.stack.service_role_key,
    "the publishable key": lambda hq: hq.stack.publishable_key,
    "the secret key": lambda hq: hq.stack.secret_key,
    "of another role": lambda hq: hq.stack.mint_token("anon", sub=str(OWNER)),
    "of the service": lambda hq: hq.stack.mint_token("service_role", sub=str(OWNER)),
    "not valid yet": lambda hq: hq.stack.mint_token(sub=str(OWNER), nbf=int(time.time()) + 3600),
    "expired": lambda hq: hq.stack.mint_token(sub=str(OWNER), expires_in=-1),
    "expired, shared secret": lambda hq: hq.stack.mint_token(sub=str(OWNER), expires_in=-1, legacy=True),
    "no subject": lambda hq: hq.stack.mint_token(),
    "a subject that is no id": lambda hq: hq.stack.mint_token(sub="president"),
    "a foreign key": lambda _: _sign(),
    "a foreign key under a foreign name": lambda _: _sign("another"),
    "a foreign key under the project's name": lambda hq: _sign(
        jwt.get_unverified_header(hq.stack.mint_token(sub=str(OWNER)))["kid"]
    ),
    "a foreign secret": lambda _: jwt.encode(
        {"sub": str(OWNER), "role": "authenticated", "exp": int(time.time()) + 60}, "x" * 40, "HS256"
    ),
    "an unknown user's, shared secret": lambda hq: hq.stack.mint_token(
        sub="00000000-0000-4000-8000-00000000dead", legacy=True
    ),
    "of an ended session, shared secret": lambda hq: hq.stack.mint_token(
        sub=str(OWNER), session_id="00000000-0000-4000-8000-00000000dead", legacy=True
    ),
}


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("the service key", "Cet appel porte une clé de service"),
        ("the secret key", "Cet appel porte une clé de service"),
        ("the anon key", "Votre session a expiré"),
        ("expired", "Votre session a expiré"),
        ("nothing readable", "Votre session a expiré"),
    ],
)
async def test_a_service_key_is_refused_with_a_sentence_of_its_own(
    hq: Hq, identity: SupabaseIdentity, what: str, sentence: str
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await identity.identify(NOBODYS[what](hq) if what in NOBODYS else "a.e30.c")

    assert refused.value.sentence.startswith(sentence)


@pytest.mark.parametrize("what", NOBODYS)
async def test_what_is_no_users_token_is_nobodys(hq: Hq, identity: SupabaseIdentity, what: str) -> None:
    token = NOBODYS[what](hq)

    for _ in range(2):  # a refusal is not forgotten either
        with pytest.raises(Unauthenticated):
            await identity.identify(token)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "RS256", "ES512", "unheard of"])
async def test_a_token_cannot_choose_how_it_is_verified(hq: Hq, identity: SupabaseIdentity, algorithm: str) -> None:
    genuine = hq.stack.mint_token(sub=str(OWNER))
    kid = jwt.get_unverified_header(genuine)["kid"]
    header = jwt.utils.base64url_encode(f'{{"alg":"{algorithm}","kid":"{kid}","typ":"JWT"}}'.encode()).decode()
    _, payload, signature = genuine.split(".")

    for token in (f"{header}.{payload}.{signature}", f"{header}.{payload}."):
        with pytest.raises(Unauthenticated):
            await identity.identify(token)


async def test_a_changed_claim_is_noticed(hq: Hq, identity: SupabaseIdentity) -> None:
    header, _, signature = hq.stack.mint_token(sub=str(VIEWER)).split(".")
    payload = hq.stack.mint_token(sub=str(OWNER)).split(".")[1]

    with pytest.raises(Unauthenticated):
        await identity.identify(f"{header}.{payload}.{signature}")


async def test_a_thousand_interleaved_calls_of_owner_and_viewer_are_never_mixed_up(
    hq: Hq, identity: SupabaseIdentity
) -> None:
    people = [OWNER, VIEWER] * 500
    tokens = [hq.stack.mint_token(sub=str(person), jti=str(n // 10)) for n, person in enumerate(people)]
    gate = asyncio.Semaphore(40)

    async def identify(token: str) -> UUID | None:
        async with gate:
            caller = await identity.identify(token)
        assert caller.is_owner is (caller.user_id == OWNER)
        return caller.user_id

    assert await asyncio.gather(*map(identify, tokens)) == people


async def test_a_verification_is_kept_for_half_a_minute_and_not_longer(hq: Hq) -> None:
    clock = _clock()
    token = hq.stack.mint_token(sub=str(OWNER), expires_in=10 * 365 * 86400)
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq, clock=clock)
        await identity.identify(token)
        hq.rows("delete from public.user_roles where user_id = %s returning 1", OWNER)

        clock.advance(timedelta(seconds=29))
        assert (await identity.identify(token)).is_owner
        clock.advance(timedelta(seconds=1))
        assert not (await identity.identify(token)).is_owner


async def test_a_kept_verification_ends_with_its_token(hq: Hq) -> None:
    class Later(SystemClock):
        seconds = 0

        def now(self) -> Any:
            return super().now() + timedelta(seconds=self.seconds)

    clock = Later()
    token = hq.stack.mint_token(sub=str(OWNER), expires_in=20)
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq, clock=clock)
        await identity.identify(token)

        clock.seconds = 21
        with pytest.raises(Unauthenticated):
            await identity.identify(token)


async def test_only_so_many_verifications_are_kept(hq: Hq, identity: SupabaseIdentity) -> None:
    for n in range(30):
        await identity.identify(hq.stack.mint_token(sub=str(VIEWER), jti=str(n)))
    for n in range(1500):
        with pytest.raises(Unauthenticated):
            await identity.identify(f"a.b.{n}")

    assert len(identity._kept) == 30


async def test_while_the_database_is_away_nobody_is_called_unauthenticated(hq: Hq, identity: SupabaseIdentity) -> None:
    hq.stack.stop_postgrest()
    with pytest.raises(BackendUnavailable):
        await identity.identify(hq.stack.mint_token(sub=str(OWNER)))

    hq.stack.start_postgrest()
    assert (await identity.identify(hq.stack.mint_token(sub=str(OWNER)))).is_owner


@pytest.mark.parametrize("fault", ["silence", "500", "503", "429"])
async def test_while_auth_is_away_nobody_is_called_unauthenticated(
    hq: Hq, identity: SupabaseIdentity, fault: str
) -> None:
    """A page that is answered 401 sends the president back to the sign-in form."""

    def answer(request: httpx.Request) -> httpx.Response:
        if fault == "silence":
            raise httpx.ConnectError("gone", request=request)
        return httpx.Response(int(fault), json={"code": int(fault), "msg": "away"}, request=request)

    opened = identity._auth._http_client
    assert isinstance(opened, SupabaseHttp)
    identity._auth._http_client = SupabaseHttp(
        within=timedelta(seconds=5), check=opened._check, transport=httpx.MockTransport(answer)
    )

    for legacy in (False, True):
        with pytest.raises(BackendUnavailable):
            await identity.identify(hq.stack.mint_token(sub=str(OWNER), legacy=legacy))


@pytest.mark.parametrize("named_by", ["code", "error_code"])
@pytest.mark.parametrize(("status", "code"), [(403, "session_not_found"), (400, "session_expired")])
async def test_a_session_that_auth_calls_ended_is_no_outage(
    hq: Hq, identity: SupabaseIdentity, status: int, code: str, named_by: str
) -> None:
    said = {"code": status, "msg": "Ended"} | {named_by: code}
    opened = identity._auth._http_client
    assert isinstance(opened, SupabaseHttp)
    identity._auth._http_client = SupabaseHttp(
        within=timedelta(seconds=5),
        check=opened._check,
        transport=httpx.MockTransport(lambda request: httpx.Response(status, json=said, request=request)),
    )

    with pytest.raises(Unauthenticated) as refused:
        await identity.identify(hq.stack.mint_token(sub=str(OWNER), legacy=True))

    assert refused.value.sentence.startswith("Votre session a expiré")


@pytest.mark.parametrize("path", ["/auth/v1/user", "/auth/v1/.well-known/jwks.json"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_what_the_gateway_answers_in_auths_place_is_no_fault_of_the_token(hq: Hq, path: str, fault: str) -> None:
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq)
        hq.stack.gateway.fail(path, FAULTS[fault])
        with pytest.raises(BackendUnavailable):
            await identity.identify(hq.stack.mint_token(sub=str(OWNER), legacy=path.endswith("user")))
    hq.stack.gateway.heal()


@pytest.mark.parametrize("body", [{"keys": [1, {"kty": "EC"}]}, {"keys": [{"kty": "EC"}]}, {"id": "x"}, {"id": None}])
async def test_an_answer_in_auths_shape_without_its_substance_is_no_fault_of_the_token(
    hq: Hq, identity: SupabaseIdentity, body: dict[str, Any]
) -> None:
    opened = identity._auth._http_client
    assert isinstance(opened, SupabaseHttp)
    identity._auth._http_client = SupabaseHttp(
        within=timedelta(seconds=5),
        check=opened._check,
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=body, request=request)),
    )

    for legacy in (False, True):
        with pytest.raises(BackendUnavailable):
            await identity.identify(hq.stack.mint_token(sub=str(OWNER), legacy=legacy))


async def test_a_strict_gateway_gets_the_newer_key_in_its_own_header_alone(hq: Hq) -> None:
    hq.stack.gateway.refuse_legacy_keys()
    hq.stack.gateway.refuse_bearer_keys()
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq, key=hq.stack.secret_key)
        assert (await identity.identify(hq.stack.mint_token(sub=str(OWNER)))).is_owner
    hq.stack.gateway.heal()
