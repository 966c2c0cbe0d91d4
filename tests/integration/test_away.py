"""Supabase is away for a moment, in whatever words: nothing is counted, paid twice, or left hanging."""

import asyncio
import signal
import time

import pytest
from support.away import AWAY, stay_away
from support.database import OWNER
from support.hq import Hq
from support.worker import Worker

from devstack.controls import FAULTS, STUCK, GatewayFault

RPC = "/rest/v1/rpc/"
# What a stuck answer may hold up.
CALL_SECONDS = 1.5


@pytest.mark.parametrize("name", ["settle_hq_run", "checkpoint_hq_step", "renew_hq_leases"])
async def test_a_moment_away_at_any_write_costs_no_attempt_and_no_second_report(hq: Hq, name: str) -> None:
    """A lease of 6 s and 3 s of absence are to each other as production's 30 s and 15 s."""
    await hq.vendors.script("openai", {"delay_ms": 1_000}, repeat=True)
    worker = await hq.worker(LEASE_SECONDS=6, LEASE_RENEW_SECONDS=1)
    asked = [hq.ask() for _ in range(3)]
    await hq.vendors.wait_for("openai", calls=3)

    await stay_away(hq, f"{RPC}{name}", seconds=3)

    for run_id in asked:
        run = await hq.settled(run_id)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    assert await hq.model_calls() == 3
    assert worker.events("backend.failed", call="renew") or name != "renew_hq_leases"


async def test_a_request_that_found_the_database_away_is_said_to_be_lost_for_now_and_succeeds_again(hq: Hq) -> None:
    service = await hq.service()
    token = hq.stack.sign_in()
    body = {"run_type": "PLATFORM_STATUS_REVIEW"}
    for fault in AWAY.values():
        hq.stack.gateway.fail(f"{RPC}request_and_claim_hq_run", fault)
        answer = await service.post("executive-run", body, token=token)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "backend_unavailable")

    hq.stack.gateway.heal()
    assert (await service.post("executive-run", body, token=token)).status_code == 200
    assert await hq.model_calls() == 1


@pytest.mark.parametrize("fault", ["paused", "timed out", "restricted", "page of success", "not found"])
async def test_a_worker_that_starts_waits_whatever_is_answered_in_supabases_place(hq: Hq, fault: str) -> None:
    hq.stack.gateway.fail("/rest/v1", FAULTS[fault])
    run_id = hq.ask()

    worker = hq.start_worker()
    waiting = await worker.logged("backend.failed", call="get_hq_schema_state", times=2)
    assert f"Supabase answered {FAULTS[fault].status} (" in waiting["error_message"]
    hq.stack.gateway.heal()

    assert (await hq.settled(run_id))["status"] == "completed"


async def test_a_key_that_the_gateway_refuses_ends_a_worker_that_starts(hq: Hq) -> None:
    hq.stack.gateway.fail("/rest/v1", FAULTS["invalid key"])

    worker = hq.start_worker()

    assert await worker.exit_code() == 78
    assert "Invalid API key" in worker.tail()


@pytest.mark.parametrize("pace", STUCK)
async def test_a_worker_stops_within_its_grace_period_while_answers_never_come_whole(hq: Hq, pace: str) -> None:
    """Each call of its own is stuck: it claims, rescues, renews and looks at the plan."""
    worker = await hq.worker(SHUTDOWN_GRACE_SECONDS=5, SUPABASE_TIMEOUT_SECONDS=60)
    hq.stack.gateway.fail(RPC, STUCK[pace])
    await asyncio.sleep(1.5)  # by now a look for work is stuck

    worker.signal(signal.SIGTERM)
    began = time.monotonic()

    assert await worker.exit_code(within=5 + 5) == 0
    assert time.monotonic() - began < 5 + 4  # the goodbye has its own two seconds


async def _stop(worker: Worker) -> None:
    """Send SIGTERM; see the process end within its grace period of 2 s, and what goodbyes and last answers take."""
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code(within=15) in {0, -signal.SIGTERM}
    assert time.monotonic() - began < 2 + 8, worker.tail()
    assert "Exception" not in worker.tail()


@pytest.mark.parametrize("pace", ["silent", "trickling"])
async def test_a_worker_that_starts_stops_while_its_first_look_is_stuck(hq: Hq, pace: str) -> None:
    hq.stack.gateway.fail(RPC, STUCK[pace])
    worker = hq.start_worker(SHUTDOWN_GRACE_SECONDS=2, SUPABASE_TIMEOUT_SECONDS=60)
    await asyncio.sleep(3)
    assert not worker.events("worker.started")

    await _stop(worker)


@pytest.mark.parametrize("pace", ["stalled", "trickling"])
async def test_a_worker_stops_while_a_settlement_is_stuck(hq: Hq, pace: str) -> None:
    hq.stack.gateway.fail(f"{RPC}settle_hq_run", STUCK[pace])
    worker = await hq.worker(SHUTDOWN_GRACE_SECONDS=2, SUPABASE_TIMEOUT_SECONDS=60)
    hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    await asyncio.sleep(1)

    await _stop(worker)


@pytest.mark.parametrize(
    ("path", "pace"),
    [("/auth/v1/.well-known/jwks.json", "stalled"), ("/auth/v1/user", "trickling"), (f"{RPC}has_role", "endless")],
)
async def test_a_service_stops_while_it_looks_a_caller_up_in_vain(hq: Hq, path: str, pace: str) -> None:
    hq.stack.gateway.fail(path, STUCK[pace])
    service = await hq.service(SHUTDOWN_GRACE_SECONDS=2, SUPABASE_TIMEOUT_SECONDS=60)
    token = hq.stack.mint_token(sub=str(OWNER), legacy=path.endswith("user"))  # Auth is asked about legacy tokens alone
    asked = asyncio.create_task(service.post("executive-run", {"run_type": "SEO_AUDIT"}, token=token))
    await asyncio.sleep(1)
    assert not asked.done()

    await _stop(service.worker)

    answer = await asked
    assert (answer.status_code, answer.json()["error_code"]) == (503, "backend_unavailable")


@pytest.mark.parametrize("pace", STUCK)
async def test_a_stuck_settlement_is_given_up_and_made_again_and_holds_up_no_other(hq: Hq, pace: str) -> None:
    worker = await hq.worker(LEASE_SECONDS=10, SUPABASE_TIMEOUT_SECONDS=CALL_SECONDS)
    stuck = hq.ask()
    hq.stack.gateway.fail(f"{RPC}settle_hq_run", STUCK[pace])
    await hq.vendors.wait_for("openai", calls=1)
    await asyncio.sleep(0.5)
    hq.stack.gateway.heal()
    other = hq.ask()

    assert (await hq.settled(other))["status"] == "completed"
    run = await hq.settled(stuck)
    assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    assert await hq.model_calls() == 2


async def test_a_function_that_is_missing_for_a_moment_costs_no_report(hq: Hq) -> None:
    """PostgREST reads the schema again, as after every migration."""
    body = '{"code": "PGRST202", "message": "Could not find the function", "details": null, "hint": null}'
    worker = await hq.worker(LEASE_SECONDS=10)
    hq.stack.gateway.fail(f"{RPC}settle_hq_run", GatewayFault(404, body))
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    await asyncio.sleep(0.5)
    hq.stack.gateway.heal()

    run = await hq.settled(run_id)
    assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    assert await hq.model_calls() == 1
