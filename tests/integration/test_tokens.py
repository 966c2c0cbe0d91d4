"""Tokens that the project's own keys signed: the worker accepts none that PostgREST refuses.

Whoever holds a signing key, or a hook that adds claims, makes tokens that Auth never made. What PostgREST answers is
asked of the real one, with and without an audience of its own; where a newer version is stricter, the table says so.
"""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.database import OWNER, Database
from support.hq import QUICK, Hq, open_hq
from support.identity import open_identity

from shared.errors import Unauthenticated
from workers.backend.identity import SupabaseIdentity

Claims = dict[str, Any]

NOW = int(time.time())
GENUINE: Claims = {
    "iss": "https://project.example/auth/v1",
    "sub": str(OWNER),
    "role": "authenticated",
    "aud": "authenticated",
    "iat": NOW,
    "exp": NOW + 3600,
}

# Accepted by both.
ACCEPTED: dict[str, Claims] = {
    "as Auth signs it": {},
    "an audience among others": {"aud": ["authenticated", "another"]},
    "a clock that is a little ahead": {"iat": NOW + 10, "nbf": NOW + 10},
}
# Some of these PostgREST accepts; but no user's token of this project looks like that.
REFUSED: dict[str, Claims] = {
    "no end": {"exp": None},
    "an end with a fraction": {"exp": NOW + 60.5},  # from version 13 on that is the year 1970
    "an end beyond every number": {"exp": 10**30},
    "another audience": {"aud": "another"},
    "other audiences": {"aud": ["another", "a third"]},
    "no audience among them": {"aud": []},
    "an audience that is null": {"aud": None},
    "an audience that is none": {"aud": 1},
    "an audience among what is none": {"aud": ["authenticated", 1]},
    "an audience in an object": {"aud": {"authenticated": True}},
    "an audience as a part": {"aud": "authenticated,another"},
    "no role": {"role": None},
    "another role": {"role": "anon"},
    "the role in a list": {"role": ["authenticated"]},
    "an end in words": {"exp": "tomorrow"},
    "an end in a string": {"exp": str(NOW + 3600)},
    "an end that is true": {"exp": True},
    "an end in a list": {"exp": [NOW + 3600]},
    "a start in an hour": {"nbf": NOW + 3600},
    "a start in a string": {"nbf": "0"},
    "a start that is true": {"nbf": True},
    "signed in an hour": {"iat": NOW + 3600},
    "signed at a string": {"iat": "0"},
    "signed within a second": {"iat": NOW - 0.5},
    "signed at true": {"iat": True},
    "an issuer that is no text": {"iss": 1},
    "an issuer that is no address": {"iss": "a b:c d"},
    "an id of the token that is no text": {"jti": 1},
    "an issuer that is half an address": {"iss": "https://[project.example"},
    "a subject that is no text": {"sub": 1},
    "a subject that is no id": {"sub": "president"},
    "a subject in another spelling": {"sub": f"{{{OWNER}}}"},
    "a subject with a scheme": {"sub": f"urn:uuid:{OWNER}"},
    "a text that Postgres cannot keep": {"user_metadata": {"name": "a\0b"}},
    "half a sign": {"user_metadata": {"name": "\ud83d"}},
}
HEADERS: dict[str, Claims] = {
    "demands what nobody knows": {"crit": ["exp"], "exp": NOW + 3600},
    "demands nothing": {"crit": []},
    "demands a payload that is not coded": {"crit": ["b64"], "b64": True},
    "a type that is no text": {"typ": 7},
}


ACCEPTED_WITHOUT = {"iss", "aud", "iat"}


@pytest.fixture(params=["", "authenticated"], ids=["any audience", "one audience"])
async def hq(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path, replace(QUICK, jwt_audience=request.param)) as running:
        yield running


async def test_the_worker_accepts_no_token_that_postgrest_refuses(hq: Hq) -> None:
    accepted: dict[str, tuple[bool, bool]] = {}
    async with AsyncExitStack() as stack:
        identity = await open_identity(stack, hq)
        http = await stack.enter_async_context(httpx.AsyncClient())
        for algorithm in ("ES256", "HS256"):
            for name, token in _tokens(hq, algorithm).items():
                accepted[f"{name}, {algorithm}"] = await _ask_postgrest(hq, http, token), await _ask(identity, token)

    assert [name for name, (theirs, ours) in accepted.items() if ours and not theirs] == []
    names = [*ACCEPTED, *(f"no {claim} at all" for claim in GENUINE if claim in ACCEPTED_WITHOUT)]
    assert [name for name, (_, ours) in accepted.items() if ours] == [
        f"{name}, {algorithm}" for algorithm in ("ES256", "HS256") for name in names
    ]


async def _ask_postgrest(hq: Hq, http: httpx.AsyncClient, token: str) -> bool:
    """Return whether PostgREST lets this token do what owners alone may."""
    answer = await http.post(
        f"{hq.stack.url}/rest/v1/rpc/get_hq_ai_costs",
        json={},
        headers={"apikey": hq.stack.anon_key, "authorization": f"Bearer {token}"},
    )
    assert answer.status_code in {200, 400, 401, 403}, answer.text
    return answer.status_code == httpx.codes.OK


async def _ask(identity: SupabaseIdentity, token: str) -> bool:
    try:
        return (await identity.identify(token)).is_owner
    except Unauthenticated:
        return False


def _tokens(hq: Hq, algorithm: str) -> dict[str, str]:
    def sign(claims: Claims | str, **header: Any) -> str:
        payload = claims if isinstance(claims, str) else json.dumps(claims)
        return hq.stack.sign(payload.encode(), algorithm=algorithm, **header)

    made = {name: sign(GENUINE | change) for name, change in (ACCEPTED | REFUSED).items()}
    made |= {
        f"no {claim} at all": sign({name: GENUINE[name] for name in GENUINE if name != claim}) for claim in GENUINE
    }
    made |= {f"{name} (header)": sign(GENUINE, **header) for name, header in HEADERS.items()}
    return made | _misshapen(
        sign, made["as Auth signs it"], hq.stack.sign(json.dumps(GENUINE).encode(), algorithm=None)
    )


def _misshapen(sign: Callable[[str], str], genuine: str, unsigned: str) -> dict[str, str]:
    fields = json.dumps(GENUINE)[1:-1]
    start, end = genuine[:-9], genuine[-9:]
    return {
        "another role as well": sign(f'{{{fields}, "role": "anon"}}'),
        "another role before": sign(f'{{"role": "anon", {fields}}}'),
        "no number": sign(f'{{{fields}, "nbf": NaN}}'),
        "a number beyond all": sign(f'{{{fields}, "user_metadata": 1e999999}}'),
        "no object": sign("[1]"),
        "nested without end": sign("[" * 3_000),
        "unsigned": unsigned,
        "unsigned, with a signature": unsigned + genuine.rpartition(".")[2],
        "padded": f"{genuine}==",
        "padded by three": f"{genuine}===",
        "a blank in its signature": f"{start} {end}",
        "a sign in its signature that codes nothing": f"{start}!{end}",
        "four parts": f"{genuine}.x",
    }
