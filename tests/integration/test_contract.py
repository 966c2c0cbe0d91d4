"""The recorded cases: what each function is asked, and the status, headers and shape of its answer, relayed or not.

A shape names every field. Beside literal values: ``"=text"`` is that text, ``"string"`` any text that is not empty,
and so on (see ``_SORTS``); a list of one shape is a list, not empty, of that shape.
A case may name what the model does (``given``), what else is the matter (``circumstance``), the worker's ``settings``.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
import pytest
from support.database import OWNER
from support.hq import RUN_TYPE, Hq
from support.running_relay import start_relay_in_front_of

from devstack.functions import FUNCTIONS
from devstack.processes import Processes
from workers.web.app import PREFIX

FOLDER = Path(__file__).parents[1] / "contract"
RELAYED = {script.parent.name for script in FUNCTIONS.glob("*/index.ts")}


def _is_moment(value: Any) -> bool:
    return datetime.fromisoformat(value).utcoffset() is not None


_SORTS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str) and value != "",
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "uuid": lambda value: str(UUID(value)) == value,
    "moment": _is_moment,
    "strings": lambda value: isinstance(value, list) and all(isinstance(entry, str) for entry in value),
    "numbers": lambda value: isinstance(value, list) and all(isinstance(entry, int) for entry in value),
    "list": lambda value: isinstance(value, list),
    "empty": lambda value: value == [],
    "null": lambda value: value is None,
}


def assert_shape(value: Any, shape: Any, path: str = "body") -> None:
    """Compare a value with its shape, and say where they part."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), path
        assert set(value) == set(shape), path
        for name in shape:
            assert_shape(value[name], shape[name], f"{path}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), path
        assert value, path
        for entry in value:
            assert_shape(entry, shape[0], f"{path}[]")
    elif isinstance(shape, str):
        fits = value == shape[1:] if shape.startswith("=") else _SORTS[shape](value)
        assert fits, f"{path} is {value!r}, not {shape}"
    else:
        assert value == shape, path


class Entry(StrEnum):
    """By which way a case comes in."""

    WORKERS = "straight to the workers"
    RELAY = "by the relay"
    PAGE = "by the relay, from a page"


# Where a screen reads `error` of a 200; its reader sees no other status.
HEARD: dict[str, set[str | None]] = {
    "executive-run": {None},
    "ai-scheduler": {"execute"},
    "scheduled-runs": {"execute"},
    "stripe-kpis": {None},
}
ORIGIN = "https://page.example"
NOWHERE = f"http://127.0.0.1:1{PREFIX}"


@dataclass(frozen=True)
class Case:
    """One recorded case."""

    function: str
    name: str
    request: dict[str, Any]
    response: dict[str, Any]
    given: dict[str, Any] | None = None
    vendor: str = "openai"
    circumstance: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        stated = json.loads(path.read_text())
        assert stated.pop("why") == path.stem.replace("-", " ")
        return cls(function=path.parent.name, name=path.stem, **stated)

    @property
    def content(self) -> bytes:
        if "body" in self.request:
            return json.dumps(self.request["body"]).encode()
        text: str = self.request.get("text", " " * self.request.get("size", 0))
        return text.encode()

    @property
    def is_without_workers(self) -> bool:
        """Whether the relay alone answers."""
        return self.circumstance == "workers away"

    @property
    def is_for_a_screen(self) -> bool:
        """Whether the relay makes it a 200 for a page."""
        stated = self.request.get("body")
        action = stated.get("action") if isinstance(stated, dict) else None
        heard = HEARD.get(self.function, set())
        is_heard = None in heard or action in heard
        is_told = self.response["status"] == 202 or self.response["status"] >= 400
        return is_heard and is_told and self.request["method"] == "POST"


CASES = [Case.read(path) for path in sorted(FOLDER.glob("*/*.json"))]
FUNCTIONS_WITH_CASES = sorted({case.function for case in CASES})
EVERY_FUNCTION_CAN = {"preflight", "wrong-method"}
# What each function answers at all, but for what nobody can bring about from outside.
STATUSES = {
    "executive-run": {200, 202, 400, 401, 402, 403, 405, 409, 413, 429, 500, 503},
    "ai-scheduler": {200, 202, 400, 401, 402, 403, 404, 405, 409, 413, 429, 500, 503},
    "scheduled-runs": {200, 202, 400, 401, 402, 403, 404, 405, 409, 413, 429, 500, 503},
    "stripe-kpis": {200, 401, 403, 405, 413, 503},
    "platform-monitor": {200, 400, 401, 403, 405, 413, 503},
    "check-api-status": {200, 401, 405, 413, 503},
    "send-push-notification": {200, 400, 401, 403, 405, 413, 503},
    "retry-dlq-runs": {200, 401, 403, 405, 413, 503},
    "check-ai-budget": {200, 401, 403, 405, 413, 503},
    "check-push-triggers": {200, 401, 403, 405, 413, 503},
    "healthz": {200, 405, 503},
}


USUAL: dict[str, object] = {
    "CRON_SECRET": "a-secret-of-cron",
    "RUN_WAIT_SECONDS": 20,
    "RETRY_BASE_SECONDS": 0.05,
    "RETRY_CAP_SECONDS": 0.1,
    "STRIPE_FRESH_SECONDS": 0.001,
}


@pytest.fixture
def relay(hq: Hq, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Put the relay in front of a worker; return where it answers."""
    with contextlib.closing(Processes(tmp_path / "relay")) as processes:

        def start(workers_url: str) -> str:
            processes.stop("functions")
            return start_relay_in_front_of(hq, workers_url, processes)

        yield start


@contextlib.asynccontextmanager
async def under(hq: Hq, case: Case) -> AsyncIterator[None]:
    """Bring about what the case is recorded under; put it right afterwards."""
    match case.circumstance:
        case "thirty requests":
            hq.rows(
                "with made as (insert into hq.runs (run_type, status) select 'CODE_REVIEW', 'completed'"
                " from generate_series(1, 30) returning id)"
                " insert into hq.run_requests (run_id, requester, trigger) select id, %s, 'manual' from made"
                " returning 1",
                str(OWNER),
            )
            yield
        case "key used for another type":
            hq.rows(
                "with made as (insert into hq.runs (run_type, status) values ('CODE_REVIEW', 'completed') returning id)"
                " insert into hq.request_keys (requester, idempotency_key, run_id) select %s, 'click:1', id from made"
                " returning 1",
                str(OWNER),
            )
            yield
        case "cancelled":
            async with asyncio.TaskGroup() as group:
                group.create_task(_cancel(hq))
                yield
        case "paused":
            hq.one("select hq.pause_runs()")
            yield
            hq.one("select hq.resume_runs()")
        case "database away":
            hq.stack.stop_postgrest()
            yield
            hq.stack.start_postgrest()
        case "workers away":
            yield
        case other:
            assert not other
            yield


async def _cancel(hq: Hq) -> None:
    (run,) = await hq.until("select id from hq.runs where status = 'running'")
    hq.rows("select public.cancel_hq_run(%s)", run["id"])


def _by_what_they_need(cases: Iterable[Case]) -> list[list[Case]]:
    """Group the cases that one worker can answer; after the database was away, the next one gets a fresh worker."""

    def needs(case: Case) -> tuple[bool, bool, str]:
        return case.is_without_workers, case.circumstance == "database away", json.dumps(case.settings)

    return [list(group) for _, group in groupby(sorted(cases, key=needs), key=needs)]


WAYS = [(name, entry) for name in FUNCTIONS_WITH_CASES for entry in (Entry if name in RELAYED else (Entry.WORKERS,))]


@pytest.mark.parametrize(("name", "entry"), WAYS, ids=lambda way: way.name.lower() if isinstance(way, Entry) else way)
async def test_every_recorded_case_is_answered_as_recorded(
    hq: Hq, relay: Callable[[str], str], name: str, entry: Entry
) -> None:
    """A caller who is no page gets through the relay what it would get without; a page gets what it can read."""
    tokens = {
        "owner": hq.stack.sign_in(),
        "expired": hq.stack.mint_token(sub=str(OWNER), expires_in=-1),
        "viewer": hq.stack.mint_token(sub="00000000-0000-4000-8000-000000000002"),
        "anon": hq.stack.anon_key,
        "service": hq.stack.service_role_key,
        "nobody": None,
    }
    for cases in _by_what_they_need(case for case in CASES if case.function == name):
        service = await hq.service(**USUAL | cases[0].settings)
        if cases[0].is_without_workers and entry is Entry.WORKERS:
            continue
        address = NOWHERE if cases[0].is_without_workers else service.url
        url = address if entry is Entry.WORKERS else relay(address)
        for case in cases:
            # Cases that launch runs are recorded each on an HQ of its own.
            hq.rows("with gone as (delete from hq.runs returning 1) select 1 from gone")
            await hq.vendors.reset()
            if case.given is not None:
                await hq.vendors.script(case.vendor, case.given, repeat=True)
            token = tokens[case.request["caller"]]
            headers = case.request.get("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
            if entry is Entry.PAGE:
                headers["origin"] = ORIGIN
            async with under(hq, case), httpx.AsyncClient(timeout=30) as http:
                answer = await http.request(
                    case.request["method"], f"{url}/{name}", content=case.content, headers=headers
                )
            if entry is Entry.PAGE and case.is_for_a_screen:
                assert_heard(answer, case)
            else:
                assert_as_recorded(answer, case)
        service.worker.kill()


def assert_as_recorded(answer: httpx.Response, case: Case) -> None:
    expected = case.response
    assert answer.status_code == expected["status"], (case.name, answer.text)
    assert answer.headers["x-request-id"], case.name
    assert answer.headers["access-control-allow-methods"], case.name
    for header, value in expected["headers"].items():
        assert answer.headers[header] == value, (case.name, header)
    if expected["body"] is None:
        assert answer.text in {"", "ok"}, case.name
    else:
        assert answer.headers["content-type"] == "application/json", case.name
        assert_shape(answer.json(), expected["body"], case.name)


def assert_heard(answer: httpx.Response, case: Case) -> None:
    """A page's screen is handed a sentence, and the real status only beside it."""
    expected = case.response
    assert (answer.status_code, answer.headers["x-relay-status"]) == (200, str(expected["status"])), case.name
    stated = {"success": False, "error": "string", "http_status": expected["status"]}
    if expected["status"] == 202:
        stated |= {"error_code": "=run_accepted", "run_id": "uuid", "run_type": "string"}
    else:
        stated |= {"error_code": expected["body"]["error_code"]}
    assert_shape(answer.json(), stated, case.name)


async def test_every_function_has_cases_and_every_case_a_function(hq: Hq) -> None:
    service = await hq.service()
    log = await service.worker.logged("http.opened")
    async with httpx.AsyncClient() as http:
        described = (await http.get(service.url.replace(PREFIX, "/openapi.json"))).json()["paths"]

    assert set(log["functions"]) == set(FUNCTIONS_WITH_CASES) == set(STATUSES)
    for name in FUNCTIONS_WITH_CASES:
        cases = [case for case in CASES if case.function == name]
        assert {case.name for case in cases} >= EVERY_FUNCTION_CAN, name
        assert {case.response["status"] for case in cases} == STATUSES[name], name
        operations = described[f"{PREFIX}/{name}"].values()
        answers = {str(case.response["status"]) for case in cases if "error_code" not in (case.response["body"] or {})}
        assert answers == {status for operation in operations for status in operation["responses"]} - {"default"}, name


async def test_every_relay_has_a_function_and_every_function_a_relay(hq: Hq) -> None:
    service = await hq.service()
    log = await service.worker.logged("http.opened")

    assert set(log["functions"]) == RELAYED


async def test_the_key_of_a_caller_reaches_the_database_through_the_relay(hq: Hq, relay: Callable[[str], str]) -> None:
    service = await hq.service()
    url = relay(service.url)
    headers = {"authorization": f"Bearer {hq.stack.sign_in()}", "idempotency-key": "click:1"}

    async with httpx.AsyncClient(timeout=30) as http:
        first, again = [
            await http.post(f"{url}/executive-run", json={"run_type": RUN_TYPE}, headers=headers) for _ in range(2)
        ]

    assert first.json()["run_id"] == again.json()["run_id"]
    assert [row["idempotency_key"] for row in hq.rows("select idempotency_key from hq.request_keys")] == ["click:1"]


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"a": 1, "b": 2}, {"a": "number"}),
        ({}, {"a": "number"}),
        (True, "number"),
        ("", "string"),
        ("b", "=a"),
        ([], ["string"]),
        (["a", ""], ["string"]),
        (1, 2),
        ("2026-01-01T00:00:00", "moment"),
    ],
)
def test_a_shape_that_does_not_fit_is_noticed(value: Any, shape: Any) -> None:
    with pytest.raises(AssertionError):
        assert_shape(value, shape)
