"""A part fails in the middle of a request: its caller gets an answer, and whatever was begun comes to an end."""

import asyncio
from typing import Any

import pytest
from support.hq import RUN_TYPE, Hq
from support.stories import every_story_ends

RUN = {"run_type": RUN_TYPE}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 500}, "gateway_unavailable"),
        ({"close": True}, "gateway_unavailable"),
        ({"cut": True}, "gateway_unavailable"),
        ({"malformed": True}, "gateway_answer_unusable"),
        ({"empty": True}, "gateway_answer_unusable"),
        ({"status": 401}, "gateway_rejected"),
        ({"delay_ms": 20_000}, "run_timed_out"),
    ],
    ids=lambda fault: next(iter(fault)) if isinstance(fault, dict) else fault,
)
async def test_a_model_that_fails_is_a_failed_run_and_an_answer(hq: Hq, fault: dict[str, Any], code: str) -> None:
    service = await hq.service(RUN_TIMEOUT_SECONDS=1, RETRY_BASE_SECONDS=0.05, RETRY_CAP_SECONDS=0.1)
    await hq.vendors.script("openai", fault, repeat=True)

    answer = await service.post("executive-run", RUN, token=hq.stack.sign_in())

    assert (answer.status_code >= 500, answer.json()["error_code"]) == (True, code), answer.text
    assert await every_story_ends(hq) == 1
    assert hq.one("select status from hq.runs")["status"] == "failed"


@pytest.mark.parametrize("fault", [{"status": 500}, {"close": True}, {"malformed": True}, {"status": 403}], ids=str)
async def test_a_source_that_fails_is_a_gap_in_a_report(hq: Hq, fault: dict[str, Any]) -> None:
    service = await hq.service(SOURCE_TIMEOUT_SECONDS=5)
    await hq.vendors.script("github", fault, repeat=True)

    answer = await service.post("executive-run", RUN, token=hq.stack.sign_in())

    assert (answer.status_code, "GitHub API" in answer.json()["data_sources"]) == (200, False), answer.text
    assert hq.rows("select from hq.run_evidence where evidence_type = 'gap'")
    assert await every_story_ends(hq) == 1


async def test_a_database_that_goes_away_while_the_model_answers_costs_the_caller_a_moment(hq: Hq) -> None:
    service = await hq.service(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10)
    await hq.vendors.script("openai", default_delay_ms=1000)
    asking = asyncio.create_task(service.post("executive-run", RUN, token=hq.stack.sign_in()))
    await hq.vendors.wait_for("openai", calls=1)

    hq.stack.stop_postgrest()
    await asyncio.sleep(2)
    hq.stack.start_postgrest()

    answer = await asking
    assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
    assert await every_story_ends(hq) == 1
    assert await hq.model_calls() == 1


async def test_a_database_that_stays_away_is_a_run_in_the_background(hq: Hq) -> None:
    """Nobody waits for ever; the report comes when the database does."""
    service = await hq.service(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10, RUN_WAIT_SECONDS=1.5)
    await hq.vendors.script("openai", default_delay_ms=500)
    asking = asyncio.create_task(service.post("executive-run", RUN, token=hq.stack.sign_in()))
    await hq.vendors.wait_for("openai", calls=1)

    hq.stack.stop_postgrest()
    answer = await asking
    hq.stack.start_postgrest()

    assert (answer.status_code, answer.json()["status"]) == (202, "running"), answer.text
    assert await every_story_ends(hq) == 1
    assert hq.one("select status from hq.runs")["status"] == "completed"


async def test_sessions_that_are_ended_mid_request_leave_nothing_begun(hq: Hq) -> None:
    """Whatever the database was doing, accepting, claiming, settling: the caller is answered, or the run goes on."""
    service = await hq.service(RUN_WAIT_SECONDS=10, WORKER_CONCURRENCY=4)
    owner = hq.stack.sign_in()
    platforms = [row["key"] for row in hq.rows("select key from hq.platforms")]
    asking = [
        asyncio.create_task(service.post("executive-run", RUN | {"platform_key": platform}, token=owner))
        for platform in platforms
    ]
    for _ in range(20):
        hq.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'")
        await asyncio.sleep(0.05)

    answers = await asyncio.gather(*asking)

    assert {answer.status_code for answer in answers} <= {200, 202, 503}, [answer.text for answer in answers]
    assert all(answer.json().get("run_id") or answer.json()["error_code"] for answer in answers)
    accepted = {answer.json()["run_id"] for answer in answers if answer.status_code in (200, 202)}
    assert await every_story_ends(hq) >= len(accepted)
    assert not service.worker.events("http.crashed"), service.worker.tail()


@pytest.mark.parametrize("status", ["pending", "completed"])
async def test_a_start_without_an_end_is_noticed(hq: Hq, status: str) -> None:
    hq.rows(
        "with run as (insert into hq.runs (run_type, status) values ('CODE_REVIEW', %s) returning id)"
        " select public.insert_hq_log('info', 'executive-run', 'run.started', '{}', id) from run",
        status,
    )

    with pytest.raises(AssertionError):
        await every_story_ends(hq, within=0)
