"""Supabase is away for as long as in production, in every way there is, under production's leases."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.away import AWAY, PLACES, stay_away
from support.hq import RUN_TYPE, Hq

RPC = "/rest/v1/rpc/"
PRODUCTION: dict[str, Any] = {
    "LEASE_SECONDS": 30,
    "LEASE_RENEW_SECONDS": 10,
    "CANCEL_POLL_SECONDS": 1.5,
    "SWEEP_SECONDS": 3.5,
    "SUPABASE_TIMEOUT_SECONDS": 10,
}
RECOVERY = 5
RUNS = 4

RecordFigure = Callable[[str, object], None]


@pytest.mark.parametrize("place", ["renew", "checkpoint", "settle", "journal"])
async def test_25_s_away_at_any_write_count_no_attempt_and_pay_nothing_twice(
    hq: Hq, place: str, record_figure: RecordFigure
) -> None:
    # Where leases are not renewed, the model takes longer than the outage: they must last.
    delay = 27_000 if place == "renew" else 2_000
    await hq.vendors.script("openai", {"delay_ms": delay}, repeat=True)
    worker = await hq.worker(**PRODUCTION)
    asked = [hq.ask() for _ in range(RUNS)]
    await hq.vendors.wait_for("openai", calls=RUNS)

    repaired = await stay_away(hq, f"{RPC}{PLACES[place]}", seconds=25)

    for run_id in asked:
        run = await hq.settled(run_id, within=20)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    recovery = time.monotonic() - repaired
    record_figure("all ended after", f"{recovery:.1f} s")
    assert recovery < RECOVERY
    assert await hq.model_calls() == RUNS


async def test_25_s_away_at_the_claim_leave_every_run_for_its_first_attempt(
    hq: Hq, record_figure: RecordFigure
) -> None:
    worker = await hq.worker(**PRODUCTION)
    hq.stack.gateway.fail(f"{RPC}{PLACES['claim']}", AWAY["timed out"])
    asked = [hq.ask() for _ in range(RUNS)]

    repaired = await stay_away(hq, f"{RPC}{PLACES['claim']}", seconds=25)

    for run_id in asked:
        await hq.became(run_id, "running", "completed", within=20)
    record_figure("all claimed after", f"{time.monotonic() - repaired:.1f} s")
    assert time.monotonic() - repaired < RECOVERY
    for run_id in asked:
        run = await hq.settled(run_id)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    assert await hq.model_calls() == RUNS


async def test_25_s_away_at_the_request_are_said_so_and_start_nothing(hq: Hq) -> None:
    service = await hq.service(**PRODUCTION)
    token = hq.stack.sign_in()

    async def ask() -> int:
        return (await service.post("executive-run", {"run_type": RUN_TYPE}, token=token)).status_code

    outage = asyncio.create_task(stay_away(hq, f"{RPC}{PLACES['request']}", seconds=25))
    await asyncio.sleep(0.5)
    statuses = []
    while not outage.done():
        statuses.append(await ask())
        await asyncio.sleep(0.5)
    assert set(statuses[:-1]) == {503}

    assert await ask() == 200
    assert await hq.model_calls() == 1
    assert hq.one("select count(*) from hq.runs where run_type = %s", RUN_TYPE)["count"] == 1


async def test_60_s_away_everywhere_lose_nothing_and_pay_nothing_kept_twice(
    hq: Hq, record_figure: RecordFigure
) -> None:
    """Longer than a lease: the rescue, which pg_cron goes on with, puts every run back."""
    await hq.vendors.script("openai", {"delay_ms": 1_000}, repeat=True)
    worker = await hq.worker(**PRODUCTION)
    # Their reports are checkpointed, and cannot be settled.
    hq.stack.gateway.fail(f"{RPC}{PLACES['settle']}", AWAY["paused"])
    asked = [hq.ask() for _ in range(RUNS)]
    await hq.until("select from hq.run_steps where name = 'Rapport du modèle' having count(*) = %s", RUNS, within=20)

    repaired = await stay_away(hq, "/rest/v1/", seconds=60)

    attempts = []
    for run_id in asked:
        run = await hq.settled(run_id, within=30)
        assert run["status"] == "completed", worker.tail()
        attempts.append(run["detailed_appendix"]["attempt"])
    record_figure("all ended after", f"{time.monotonic() - repaired:.1f} s, attempts {attempts}")
    assert max(attempts) <= 2
    assert await hq.model_calls() == RUNS
    assert not hq.rows("select from hq.run_queue")
