"""Who may launch a run: the same callers at the workers and at the relay, whether the workers are up or away."""

from collections.abc import Callable, Iterator
from typing import Final

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from support.database import OWNER, VIEWER
from support.running_relay import StartRelay

from devstack.served import Served, serve_functions
from devstack.stack import Stack

NOBODY: Final = "http://127.0.0.1:1"
LAUNCH: Final = {"run_type": "CODE_REVIEW"}
ACCEPTED: Final = 202

# The rule: a signed-in owner, and nobody else. Each caller with the headers it comes with, and what it is answered.
CALLERS: Final[dict[str, tuple[Callable[[Stack], dict[str, str]], int]]] = {
    "an owner": (lambda hq: _bearer(hq.mint_token(sub=str(OWNER))), ACCEPTED),
    "an owner with a legacy token": (lambda hq: _bearer(hq.mint_token(sub=str(OWNER), legacy=True)), ACCEPTED),
    "an owner with the page's key": (lambda hq: _bearer(hq.sign_in()) | {"apikey": hq.publishable_key}, ACCEPTED),
    "an owner beside a service key": (lambda hq: _bearer(hq.sign_in()) | {"apikey": hq.secret_key}, ACCEPTED),
    "somebody else who is signed in": (lambda hq: _bearer(hq.mint_token(sub=str(VIEWER))), 403),
    "an owner whose token has expired": (lambda hq: _bearer(hq.mint_token(sub=str(OWNER), expires_in=-60)), 401),
    "a forger": (lambda hq: _bearer(hq.sign_in()[:-4] + "AAAA"), 401),
    "nobody": (lambda _: {}, 401),
    "nobody with the page's key": (lambda hq: {"apikey": hq.publishable_key}, 401),
    "the page's legacy key": (lambda hq: _bearer(hq.anon_key), 401),
    "the legacy service key": (lambda hq: _bearer(hq.service_role_key), 401),
    "the legacy service key twice": (
        lambda hq: _bearer(hq.service_role_key) | {"apikey": hq.service_role_key},
        401,
    ),
    "the service key in other letters": (lambda hq: {"authorization": f"bEARER   {hq.service_role_key}"}, 401),
    "the secret key": (lambda hq: _bearer(hq.secret_key), 401),
    "the secret key as apikey": (lambda hq: {"apikey": hq.secret_key}, 401),
    "the legacy service key as apikey": (lambda hq: {"apikey": hq.service_role_key}, 401),
}


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def served(project: Stack) -> Iterator[Served]:
    """Workers that answer at once that the run goes on."""
    with serve_functions(project, settings={"RUN_WAIT_SECONDS": "0.1", "WORKER_CONCURRENCY": "1"}) as served:
        yield served


@pytest.fixture(params=["the workers", "the relay, workers up", "the relay, workers away"])
def door(request: pytest.FixtureRequest, project: Stack, start_relay: StartRelay) -> Iterator[str]:
    """Where a caller may ask."""
    if request.param == "the relay, workers away":
        relay = start_relay(workers_url=NOBODY, supabase_url=project.url, anon_key=project.anon_key)
        yield str(relay.base_url)
        return
    served: Served = request.getfixturevalue("served")
    yield served.url if request.param == "the workers" else f"{project.url}/functions/v1"


async def test_every_door_lets_in_the_same_callers(door: str, project: Stack) -> None:
    answered = {}
    async with httpx.AsyncClient(timeout=30) as http:
        for who, (headers, _) in CALLERS.items():
            response = await http.post(f"{door.rstrip('/')}/executive-run", json=LAUNCH, headers=headers(project))
            # The run itself may fail, without a model: who was let in has one.
            answered[who] = ACCEPTED if "run_id" in response.json() else response.status_code

    with psycopg.connect(project.admin_url, autocommit=True, row_factory=dict_row) as session:
        requesters = session.execute("select distinct requester from hq.run_requests").fetchall()
    assert answered == {who: status for who, (_, status) in CALLERS.items()}
    assert requesters == [{"requester": str(OWNER)}]
