"""The HTTP API with everything real: what a screen asks is launched, waited for, and answered as it always was."""

import asyncio
import signal
from uuid import UUID

import httpx
import pytest
from support.database import OWNER
from support.hq import RUN_TYPE, Hq

from workers.version import read_version

REPORT_FIELDS = {
    "success", "run_id", "run_type", "executive_summary", "steps", "model_used", "fallback_used", "breaker_state",
    "data_sources", "completed_at",
}  # fmt: skip


@pytest.fixture
def owner(hq: Hq) -> str:
    return hq.stack.sign_in()


@pytest.fixture
def viewer(hq: Hq) -> str:
    return hq.stack.mint_token(sub="00000000-0000-4000-8000-000000000002")


async def test_a_launched_run_answers_its_report(hq: Hq, owner: str) -> None:
    service = await hq.service()

    answer = await service.post("executive-run", {"run_type": RUN_TYPE, "platform_key": "nearvity"}, token=owner)

    body = answer.json()
    assert answer.status_code == 200, body
    assert set(body) == REPORT_FIELDS | {"platform_key"}
    assert body["success"] is True
    assert "\n\n## Statut général\n\n" in body["executive_summary"]
    assert body["data_sources"] == ["Base du QG", "GitHub API", "Lovable AI Gateway"]
    run = hq.run(UUID(body["run_id"]))
    assert (run["status"], run["owner_requested"]) == ("completed", True)
    assert run["executive_summary"] == body["executive_summary"]
    request = hq.one("select * from hq.run_requests")
    assert (request["requester"], request["trigger"]) == (str(OWNER), "manual")
    assert hq.logs(run["id"]) == ["run.started", "run.completed"]


async def test_ten_clicks_are_one_run_and_one_answer(hq: Hq, owner: str) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", default_delay_ms=300)

    answers = await asyncio.gather(
        *(service.post("executive-run", {"run_type": RUN_TYPE}, token=owner) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert hq.one("select count(*) from hq.runs")["count"] == 1
    assert await hq.model_calls() == 1


async def test_a_replayed_key_answers_the_first_run_again(hq: Hq, owner: str) -> None:
    service = await hq.service()
    headers = {"idempotency-key": "click-1"}

    first = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner, headers=headers)
    hq.rows("update hq.runs set completed_at = completed_at - interval '1 hour' returning 1")
    again = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner, headers=headers)

    assert again.json()["run_id"] == first.json()["run_id"]
    assert again.json()["executive_summary"] == first.json()["executive_summary"]
    assert set(again.json()) == REPORT_FIELDS


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 402}, 402, "gateway_out_of_credit"),
        ({"status": 429}, 429, "gateway_rate_limited"),
        ({"status": 503}, 503, "gateway_unavailable"),
        ({"status": 400}, 503, "gateway_rejected"),
    ],
)
async def test_a_failed_run_answers_the_status_of_its_fault(
    hq: Hq, owner: str, fault: dict[str, int], status: int, code: str
) -> None:
    service = await hq.service(RETRY_BASE_SECONDS=0.05, RETRY_CAP_SECONDS=0.1)
    await hq.vendors.script("openai", fault, repeat=True)

    answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner)

    body = answer.json()
    run = hq.run(UUID(body["run_id"]))
    assert (answer.status_code, body["error_code"]) == (status, code), body
    assert (body["success"], body["error"], run["status"]) == (False, run["executive_summary"], "failed")
    assert hq.logs(run["id"])[-1] == "run.failed"


async def test_a_long_run_is_answered_in_time_and_goes_on(hq: Hq, owner: str) -> None:
    service = await hq.service(RUN_WAIT_SECONDS=0.3)
    await hq.vendors.script("openai", default_delay_ms=1000)

    answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner)

    body = answer.json()
    assert (answer.status_code, body["success"], body["status"]) == (202, True, "running")
    assert (body["run_type"], "arrière-plan" in body["executive_summary"]) == (RUN_TYPE, True)
    assert (await hq.settled(UUID(body["run_id"])))["status"] == "completed"


async def test_a_caller_who_leaves_does_not_stop_the_run(hq: Hq, owner: str) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", default_delay_ms=800)

    async with httpx.AsyncClient(timeout=0.4) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post(
                f"{service.url}/executive-run",
                json={"run_type": RUN_TYPE},
                headers={"authorization": f"Bearer {owner}"},
            )

    (run,) = await hq.until("select id from hq.runs")
    assert (await hq.settled(run["id"]))["status"] == "completed"


async def test_a_run_that_another_worker_executes_is_waited_for(hq: Hq, owner: str) -> None:
    await hq.worker()
    # Longer than it takes to start a service on a busy machine.
    await hq.vendors.script("openai", default_delay_ms=4000)
    run_id = hq.one("select run_id from public.request_hq_run(%s)", RUN_TYPE)["run_id"]
    await hq.became(run_id, "running")
    service = await hq.service()

    answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner)

    assert (answer.status_code, answer.json()["run_id"]) == (200, str(run_id))


async def test_more_callers_than_places_are_all_served(hq: Hq, owner: str) -> None:
    service = await hq.service(WORKER_CONCURRENCY=2)
    platforms = [row["key"] for row in hq.rows("select key from hq.platforms")]

    answers = await asyncio.gather(
        *(
            service.post("executive-run", {"run_type": RUN_TYPE, "platform_key": platform}, token=owner)
            for platform in platforms
        )
    )

    assert {answer.status_code for answer in answers} == {200}
    assert hq.one("select count(*) from hq.runs where status = 'completed'")["count"] == len(platforms) > 3


async def test_whoever_may_not_is_refused_and_nothing_is_written(hq: Hq, viewer: str) -> None:
    service = await hq.service()
    body = {"run_type": RUN_TYPE}

    refusals = [
        (await service.post("executive-run", body), 401, "unauthenticated"),
        (await service.post("executive-run", body, token=hq.stack.anon_key), 401, "unauthenticated"),
        (await service.post("executive-run", body, token=hq.stack.service_role_key), 401, "unauthenticated"),
        (await service.post("executive-run", body, token=viewer), 403, "forbidden"),
        (await service.post("check-api-status"), 401, "unauthenticated"),
    ]

    for answer, status, code in refusals:
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)
        assert answer.headers["x-request-id"]
    assert not hq.rows("select from hq.runs")


async def test_what_could_not_become_a_run_is_refused(hq: Hq, owner: str) -> None:
    service = await hq.service()
    refused: list[tuple[object, int, str]] = [
        ({"run_type": "MAKE_COFFEE"}, 400, "unknown_run_type"),
        ({"run_type": "__proto__"}, 400, "unknown_run_type"),
        ({"run_type": "\x00\ud800"}, 400, "unknown_run_type"),
        ({"run_type": RUN_TYPE, "platform_key": "atlantis"}, 400, "unknown_platform"),
        ({"run_type": RUN_TYPE, "context_data": "x" * 40_000}, 413, "context_too_large"),
        ({}, 400, "invalid_request"),
        ({"run_type": 5}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
        ("x" * 300_000, 413, "body_too_large"),
    ]

    for body, status, code in refused:
        answer = await service.post("executive-run", body, token=owner)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code), body
    assert not hq.rows("select from hq.runs")


async def test_the_thirty_first_request_is_told_to_wait(hq: Hq, owner: str) -> None:
    service = await hq.service()
    hq.rows(
        "with made as (insert into hq.runs (run_type, status) select 'CODE_REVIEW', 'completed'"
        " from generate_series(1, 30) returning id)"
        " insert into hq.run_requests (run_id, requester, trigger) select id, %s, 'manual' from made returning 1",
        str(OWNER),
    )

    answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner)

    assert (answer.status_code, answer.json()["error_code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) == answer.json()["retryAfter"] > 0


async def test_while_the_database_is_away_the_caller_is_told_so(hq: Hq, owner: str) -> None:
    service = await hq.service()
    hq.stack.stop_postgrest()

    answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=owner)

    assert (answer.status_code, answer.json()["error_code"]) == (503, "backend_unavailable")
    hq.stack.start_postgrest()


async def test_anybody_signed_in_sees_which_keys_are_there(hq: Hq, viewer: str) -> None:
    service = await hq.service(STRIPE_SECRET_KEY="", FIRECRAWL_API_KEY="fc-1234567890")

    answer = await service.post("check-api-status", token=viewer)

    assert answer.status_code == 200
    assert answer.json()["status"] == {
        "github": True, "stripe": False, "perplexity": False, "lovable_ai": True, "firecrawl": True,
    }  # fmt: skip


async def test_health_tells_how_we_are(hq: Hq) -> None:
    service = await hq.service(WORKER_CONCURRENCY=1)
    async with httpx.AsyncClient() as http:
        well = await http.get(f"{service.url}/healthz")
        hq.stack.stop_postgrest()
        await asyncio.sleep(2)
        ill = await http.get(f"{service.url}/healthz")
        hq.stack.start_postgrest()

    assert (well.status_code, well.json()["status"]) == (200, "healthy")
    assert set(well.json()["checks"]) == {"database", "queue", "realtime", "ai_gateway_breaker", "edge_runtime"}
    assert well.json()["version"] == read_version()
    assert {row["version"] for row in hq.rows("select version from hq.workers")} == {read_version()}
    assert (well.headers["cache-control"], well.headers["access-control-allow-origin"]) == ("no-store", "*")
    assert (ill.status_code, ill.json()["status"]) == (503, "degraded")
    assert ill.json()["checks"]["database"]["ok"] is False


async def test_a_stopping_service_answers_whoever_waits(hq: Hq, owner: str) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", default_delay_ms=700)
    waiting = asyncio.create_task(service.post("executive-run", {"run_type": RUN_TYPE}, token=owner))
    await hq.until("select from hq.runs where status = 'running'")

    service.worker.signal(signal.SIGTERM)

    assert (await waiting).status_code == 200
    assert await service.worker.exit_code() == 0


async def test_a_run_that_outlives_the_grace_is_handed_back_and_its_caller_answered(hq: Hq, owner: str) -> None:
    service = await hq.service(SHUTDOWN_GRACE_SECONDS=0.3)
    await hq.vendors.script("openai", default_delay_ms=20_000)
    waiting = asyncio.create_task(service.post("executive-run", {"run_type": RUN_TYPE}, token=owner))
    (run,) = await hq.until("select id from hq.runs where status = 'running'")

    service.worker.signal(signal.SIGTERM)

    answer = await waiting
    assert (answer.status_code, answer.json()["run_id"]) == (202, str(run["id"]))
    assert await service.worker.exit_code() == 0
    assert hq.run(run["id"])["status"] == "pending"


async def test_a_port_that_is_taken_is_reported_as_a_fault_of_the_settings(hq: Hq) -> None:
    service = await hq.service()
    port = httpx.URL(service.url).port

    with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"):
        await hq.service(PORT=port)

    assert await hq.workers[-1].exit_code() == 78
