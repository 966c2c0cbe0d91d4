"""Somebody leaves a transaction open in the SQL editor: only the row it holds waits for its end."""

import asyncio

import httpx
import pytest
from support.hq import RUN_TYPE, Hq


# The first two hold up a checkpoint, the last a settlement.
@pytest.mark.parametrize("held", ["hq.runs", "hq.run_queue", "hq.run_requests"])
async def test_a_row_that_is_held_holds_up_no_other_run(hq: Hq, held: str) -> None:
    # Leases as in production: a worker retries a write for four of them, longer than this row is held.
    await hq.worker(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10)
    await hq.vendors.script("openai", {"delay_ms": 700}, repeat=True)
    asked = [hq.ask() for _ in range(6)]
    await hq.vendors.wait_for("openai", calls=6)
    key = "id" if held == "hq.runs" else "run_id"
    stuck, free = asked[2], asked[:2] + asked[3:]

    with hq.database.connect() as person, person.transaction():
        person.execute(f"select from {held} where {key} = %s for update", [stuck])
        for run_id in free:
            assert (await hq.settled(run_id, within=8))["status"] == "completed"
        late = hq.ask()
        assert (await hq.settled(late, within=8))["status"] == "completed"
        assert hq.run(stuck)["status"] == "running"

    run = await hq.settled(stuck)
    assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1)
    assert await hq.model_calls() == 7


async def test_a_pending_row_that_is_held_holds_up_no_other_claim(hq: Hq) -> None:
    stuck = hq.ask()
    with hq.database.connect() as person, person.transaction():
        person.execute("select from hq.runs where id = %s for update", [stuck])
        free = [hq.ask() for _ in range(3)]
        await hq.worker()

        for run_id in free:
            assert (await hq.settled(run_id, within=8))["status"] == "completed"

    assert (await hq.settled(stuck))["status"] == "completed"


async def test_many_requests_for_a_type_that_somebody_holds_cost_nobody_else_his_answer(hq: Hq) -> None:
    """A transaction left open after hq.request_run: its type is refused at once, everything else goes on."""
    service = await hq.service()
    limits = httpx.Limits(max_connections=40)
    headers = {"authorization": f"Bearer {hq.stack.sign_in()}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30, limits=limits) as http:

        async def ask(run_type: str) -> httpx.Response:
            return await http.post("executive-run", json={"run_type": run_type})

        await asyncio.gather(*(http.options("healthz") for _ in range(30)))  # the connections are there
        with hq.database.connect() as person, person.transaction():
            person.execute("select * from hq.request_run('CODE_REVIEW')")
            held = [asyncio.create_task(ask("CODE_REVIEW")) for _ in range(24)]
            await hq.until("select from pg_catalog.pg_stat_activity where wait_event_type = 'Lock'")
            health, report = await asyncio.gather(http.get("healthz"), ask(RUN_TYPE))
            refusals = await asyncio.gather(*held)
        again = await ask("CODE_REVIEW")

    assert {(refusal.status_code, refusal.json()["error_code"]) for refusal in refusals} == {(503, "queue_held")}
    assert {refusal.headers["retry-after"] for refusal in refusals} == {"5"}
    assert "éditeur SQL" in refusals[0].json()["error"]
    assert (health.status_code, report.status_code, again.status_code) == (200, 200, 200)
    assert health.elapsed.total_seconds() < 2  # half a second is theirs, the rest a busy machine's
