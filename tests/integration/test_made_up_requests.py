"""Requests that a machine makes up from our own description: answered as described, and only accepted runs are kept."""

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as seeded
from schemathesis import GenerationMode
from support.hq import Hq, Service
from support.notifications import device_settings
from support.openapi import operations

EXCLUDED = {
    # What the description lets through, the database may still refuse: an unknown platform, the thirty-first request.
    "positive_data_acceptance",
}


async def _describe(service: Service) -> Any:
    async with httpx.AsyncClient() as http:
        return (await http.get(service.url.replace("/functions/v1", "/openapi.json"))).json()


def _checks() -> list[Any]:
    registered = schemathesis.checks.CHECKS.get_all()
    return [check for check in registered if check.__name__ not in EXCLUDED]


def _fuzz(url: str, document: Any, token: str, *, examples: int, seed: int | None = None) -> set[str]:
    """Send what schemathesis makes up; return the ids of the runs that were accepted."""
    accepted: set[str] = set()
    for operation in operations(document):
        can_be_wrong = operation.body or operation.headers
        for mode in GenerationMode if can_be_wrong else (GenerationMode.POSITIVE,):
            usual = settings(
                max_examples=examples,
                derandomize=seed is None,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                verbosity=Verbosity.quiet,
                suppress_health_check=list(HealthCheck),
            )

            def send(case: Any) -> None:
                answer = case.call(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=20)
                case.validate_response(answer, checks=_checks(), headers={"authorization": f"Bearer {token}"})
                accepted.update(_run_ids(answer.json()))

            strategy = operation.as_strategy(generation_mode=mode)
            test = usual(given(strategy)(send))
            (seeded(seed)(test) if seed is not None else test)()
    return accepted


def _run_ids(body: dict[str, Any]) -> set[str]:
    executed = [entry.get("result", {}) for entry in body.get("executed", [])]
    return {entry["run_id"] for entry in (body, *executed) if entry.get("run_id")}


async def _fuzz_a_service(hq: Hq, *, examples: int, seed: int | None = None) -> None:
    # Without keys for devices, two answers would be 503, as described, which is taken for a server's error here.
    service = await hq.service(CRON_SECRET="a-secret-of-cron", RUN_WAIT_SECONDS=5, **device_settings(hq))
    document = await _describe(service)
    url = service.url.removesuffix("/functions/v1")

    accepted = await asyncio.to_thread(_fuzz, url, document, hq.stack.sign_in(), examples=examples, seed=seed)

    assert {str(run["id"]) for run in hq.rows("select id from hq.runs")} == accepted
    assert not service.worker.events("http.crashed"), service.worker.tail()


async def test_what_a_machine_makes_up_is_refused_as_described(hq: Hq) -> None:
    await _fuzz_a_service(hq, examples=25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_a_machine_that_has_more_time_finds_nothing_either(hq: Hq, seed: int) -> None:
    await _fuzz_a_service(hq, examples=250, seed=seed)
