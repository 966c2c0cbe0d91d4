"""The recorded cases: what each function is asked, and the status, headers and shape of its answer, relayed or not.

A shape names every field. Beside literal values: ``"=text"`` is that text, ``"string"`` any text that is not empty,
and so on (see ``_SORTS``); a list of one shape is a list, not empty, of that shape.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from support.hq import Hq

from devstack.functions import FUNCTIONS, start_functions
from devstack.processes import Processes
from workers.asgi import PREFIX

FOLDER = Path(__file__).parents[1] / "contract"
RELAYED = {script.parent.name for script in FUNCTIONS.glob("*/index.ts")}
CASES = {folder.name: sorted(folder.glob("*.json")) for folder in sorted(FOLDER.iterdir())}
EVERY_PAGE_CAN = {"preflight", "wrong-method"}


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


@pytest.fixture
def relay(hq: Hq, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Put the relay in front of a worker; return where it answers."""
    with contextlib.closing(Processes(tmp_path / "relay")) as processes:

        def start(workers_url: str) -> str:
            port = hq.stack.functions_port
            keys = {"supabase_url": hq.stack.url, "anon_key": hq.stack.anon_key}
            start_functions(processes, port=port, workers_url=workers_url.removesuffix(PREFIX), **keys)
            return f"http://127.0.0.1:{port}{PREFIX}"

        yield start


@pytest.mark.parametrize(
    ("name", "is_relayed"), [(name, is_relayed) for name in CASES for is_relayed in {False, name in RELAYED}]
)
async def test_every_recorded_case_is_answered_as_recorded(
    hq: Hq, relay: Callable[[str], str], name: str, *, is_relayed: bool
) -> None:
    """A caller who is no browser gets through the relay what it would get without."""
    service = await hq.service(
        CRON_SECRET="a-secret-of-cron", RUN_WAIT_SECONDS=2, RETRY_BASE_SECONDS=0.05, RETRY_CAP_SECONDS=0.1
    )
    url = relay(service.url) if is_relayed else service.url
    tokens = {
        "owner": hq.stack.sign_in(),
        "viewer": hq.stack.mint_token(sub="00000000-0000-4000-8000-000000000002"),
        "anon": hq.stack.anon_key,
        "service": hq.stack.service_role_key,
        "nobody": None,
    }
    for path in CASES[name]:
        case = json.loads(path.read_text())
        request, expected = case["request"], case["response"]
        # Cases that launch runs are recorded each on an HQ of its own.
        hq.rows("with gone as (delete from hq.runs returning 1) select 1 from gone")
        await hq.vendors.reset()
        if "given" in case:
            await hq.vendors.script("openai", case["given"], repeat=True)
        token = tokens[request["caller"]]
        headers = request.get("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
        async with httpx.AsyncClient(timeout=30) as http:
            answer = await http.request(
                request["method"],
                f"{url}/{name}",
                content=json.dumps(request["body"]) if "body" in request else b"",
                headers=headers,
            )

        assert answer.status_code == expected["status"], (path.name, answer.text)
        assert answer.headers["x-request-id"], path.name
        assert answer.headers["access-control-allow-methods"], path.name
        for header, value in expected["headers"].items():
            assert answer.headers[header] == value, (path.name, header)
        if expected["body"] is None:
            assert answer.text in {"", "ok"}, path.name
        else:
            assert answer.headers["content-type"] == "application/json", path.name
            assert_shape(answer.json(), expected["body"], path.stem)


async def test_every_function_has_cases_and_every_case_a_function(hq: Hq) -> None:
    service = await hq.service()
    log = await service.worker.logged("http.opened")

    assert set(log["functions"]) == set(CASES)
    for name, cases in CASES.items():
        assert {path.stem for path in cases} >= EVERY_PAGE_CAN, name


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
