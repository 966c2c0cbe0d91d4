"""Away or refused: whatever is answered, only what PostgREST itself says, or the gateway of our key, is a refusal."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import HttpUrl, SecretStr, TypeAdapter
from supabase import AsyncClient
from support.clock import FakeClock

from shared import errors
from workers.backend.client import open_client
from workers.backend.inspection import SupabaseInspection
from workers.backend.rpc import call, call_void
from workers.backend.translate import Meaning, judge
from workers.bootstrap.schema_check import await_schema_state
from workers.settings import SupabaseSettings

SETTINGS: Final = SupabaseSettings(url=HttpUrl("http://project"), service_key=SecretStr("a-key"))
JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html"
PAGE: Final = b"<!DOCTYPE html><html><body>Please wait</body></html>"
STATUSES: Final = range(200, 600)
NUMBERS: Final = TypeAdapter(list[int])


def postgrest(code: str, message: str = "no") -> bytes:
    """Write an error as PostgREST does, with all four of its fields."""
    return json.dumps({"code": code, "details": None, "hint": None, "message": message}).encode()


BODIES: Final[dict[str, tuple[str, bytes]]] = {
    "PostgREST's refusal": (JSON, postgrest("22023")),
    "PostgREST's, of what passes": (JSON, postgrest("57014")),
    "other JSON": (JSON, b'{"message":"upstream request timeout"}'),
    "JSON with a code of somebody else": (JSON, b'{"code":"E1234","message":"busy"}'),
    "JSON that is no object": (JSON, b'"gone"'),
    "HTML": (HTML, PAGE),
    "HTML that says it is JSON": (JSON, PAGE),
    "JSON that says it is HTML": (HTML, postgrest("22023")),
    "empty": ("", b""),
}


class Project:
    """Answers every call with what the test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.type = JSON
        self.body = b"[1]"
        self.asked = 0

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self.status, content=self.body, headers={"content-type": self.type})


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
async def client(project: Project) -> AsyncIterator[AsyncClient]:
    async with open_client(SETTINGS, network=httpx.MockTransport(project.answer)) as client:
        yield client


async def meaning_of(client: AsyncClient) -> errors.WorkersError | None:
    try:
        await call(client, "claim_hq_runs", {}, NUMBERS)
    except errors.WorkersError as error:
        return error
    return None


@pytest.mark.parametrize("what", BODIES)
async def test_whatever_the_status_only_postgrests_own_refusal_is_one(
    client: AsyncClient, project: Project, what: str
) -> None:
    project.type, project.body = BODIES[what]
    kinds = {}
    for project.status in STATUSES:
        kinds[project.status] = type(await meaning_of(client))

    refusals = range(400, 600) if what == "PostgREST's refusal" else ()
    too_large = () if what == "PostgREST's refusal" else (413,)
    assert kinds == (
        dict.fromkeys(STATUSES, errors.BackendUnavailable)
        | dict.fromkeys(refusals, errors.BackendRejected)
        | dict.fromkeys(too_large, errors.RequestTooLarge)
    )
    assert project.asked == len(STATUSES)  # nothing is repeated behind our back


async def test_what_was_answered_is_named(client: AsyncClient, project: Project) -> None:
    project.status, project.type, project.body = 544, JSON, b'{"message":"upstream request timeout"}'
    assert '544 (application/json: {"message":"upstream request timeout"})' in str(await meaning_of(client))

    project.status, project.type, project.body = 200, HTML, PAGE * 1000
    shown = str(await meaning_of(client))
    assert "200 (text/html: <!DOCTYPE html>" in shown
    assert "SUPABASE_URL" in shown
    assert len(shown) < 500


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"Invalid API key","hint":"Double check your API key."}',
        b'{"message":"No API key found in request"}',
        b'{"message":"Legacy API keys are disabled"}',
        b'{"message":"Forbidden use of secret API key in browser"}',
        b'{"code":401,"message":"Invalid JWT"}',
        b'{"message":"Invalid authentication credentials"}',
        postgrest("PGRST301", "JWT expired"),
        postgrest("PGRST302", "Anonymous access is disabled"),
    ],
)
async def test_a_key_is_refused_in_the_words_of_the_gateway_or_under_postgrests_codes(
    client: AsyncClient, project: Project, status: int, body: bytes
) -> None:
    project.status, project.body = status, body

    error = await meaning_of(client)

    assert isinstance(error, errors.KeyRefused)
    assert "SUPABASE_SERVICE_ROLE_KEY" in str(error)


async def test_a_right_answer_is_read(client: AsyncClient, project: Project) -> None:
    for project.status, project.type in [(200, JSON), (201, "application/vnd.pgrst.array+json")]:
        assert await call(client, "claim_hq_runs", {}, NUMBERS) == [1]


async def test_nothing_is_an_answer_only_where_nothing_is_due(client: AsyncClient, project: Project) -> None:
    project.status, project.type, project.body = 204, "", b""

    await call_void(client, "write_hq_log", {})
    shapes: list[TypeAdapter[Any]] = [NUMBERS, TypeAdapter(bool), TypeAdapter(str)]
    for shape in shapes:
        with pytest.raises(errors.BackendUnavailable):
            await call(client, "claim_hq_runs", {}, shape)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
near_errors = st.fixed_dictionaries(
    {},
    optional={
        "code": st.text() | st.integers() | st.from_regex(r"[0-9A-Z]{5}", fullmatch=True) | st.none(),
        "message": st.text() | st.none(),
        "details": st.none(),
        "hint": st.none(),
    },
)
bodies = (
    st.binary() | st.text().map(str.encode) | (json_values | near_errors).map(lambda body: json.dumps(body).encode())
)


@given(
    status=st.integers(200, 599),
    content_type=st.sampled_from([JSON, "APPLICATION/JSON", HTML, "text/plain", "", "application/problem+json"]),
    body=bodies,
)
def test_nothing_unknown_is_a_refusal(status: int, content_type: str, body: bytes) -> None:
    meaning = judge(status, content_type, body)

    if meaning is Meaning.AWAY or 200 <= status < 300:
        assert meaning is not Meaning.KEY_REFUSED
        return
    fields: Any = json.loads(body)
    if meaning is Meaning.KEY_REFUSED:
        assert status in {401, 403}
        assert "jwt" in str(fields).lower() or "key" in str(fields).lower() or fields["code"].startswith("PGRST3")
    else:
        assert set(fields) >= {"code", "message", "details", "hint"}
        assert any(digit in fields["code"] for digit in "0123456789")
        assert "json" in content_type.lower()


class Starting:
    """A database that a worker asks for its state while it starts: it answers so, so many times, and then well."""

    def __init__(self, answer: tuple[int, str, bytes], *, times: int) -> None:
        self.wrong = answer
        self.times = times

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.times -= 1
        if self.times >= 0:
            status, content_type, body = self.wrong
            return httpx.Response(status, content=body, headers={"content-type": content_type})
        state: dict[str, Any] = {
            "migrations": {},
            "functions": {},
            "registry_version": None,
            "server_time": "2026-11-29T10:00:00Z",
        }
        return httpx.Response(200, json=[state])


MISSING: Final = (404, JSON, postgrest("PGRST202", "Could not find the function"))


async def start(database: Starting, clock: FakeClock) -> None:
    async with open_client(SETTINGS, network=httpx.MockTransport(database.answer)) as client:
        await await_schema_state(SupabaseInspection(client), clock)


@pytest.mark.parametrize(
    "answer",
    [
        (540, JSON, b'{"message":"Project paused"}'),
        (544, JSON, b'{"message":"upstream request timeout"}'),
        (402, JSON, b'{"message":"Service for this project is restricted"}'),
        (200, HTML, PAGE),
        (200, JSON, b"[]"),
        (301, HTML, b""),
        (404, JSON, b'{"message":"no Route matched with those values"}'),
        (403, HTML, PAGE),
    ],
)
async def test_a_worker_that_starts_waits_for_whatever_is_away(
    clock: FakeClock, answer: tuple[int, str, bytes]
) -> None:
    with structlog.testing.capture_logs() as logs:
        await start(Starting(answer, times=20), clock)

    assert len(clock.sleeps) == 20
    assert [entry["log_level"] for entry in logs if entry["event"] == "backend.awaited"] == ["info"]


async def test_a_function_that_postgrest_does_not_know_yet_is_waited_for_and_not_for_ever(clock: FakeClock) -> None:
    await start(Starting(MISSING, times=1), clock)
    began = clock.monotonic()

    with pytest.raises(errors.ConfigurationError, match="emocare migrate"):
        await start(Starting(MISSING, times=100), clock)

    assert 8 <= clock.monotonic() - began < 12


async def test_a_wrong_key_ends_a_worker_that_starts_at_once(clock: FakeClock) -> None:
    with pytest.raises(errors.ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY"):
        await start(Starting((401, JSON, b'{"message":"Invalid API key"}'), times=100), clock)

    assert clock.sleeps == []
