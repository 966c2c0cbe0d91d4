"""An isolate is retired at half its wall clock and killed at its end: what the relay then owes its caller."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.database import Database
from support.hq import RUN_TYPE, Hq, open_hq, signed_in
from support.running_relay import Relay, StartRelay, start_relay_in_front_of
from support.scripted_server import SILENCE, ScriptedServer, answer

from devstack.processes import Processes, choose_port

LAUNCH = {"run_type": "CODE_REVIEW"}


async def test_an_isolate_is_killed_with_what_it_holds(start_relay: StartRelay, upstream: ScriptedServer) -> None:
    upstream.script(SILENCE)
    relay = start_relay(wall_clock_seconds=3)
    began = time.monotonic()

    killed = await relay.post("executive-run", json=LAUNCH)
    upstream.script(answer(200, {"success": True}))
    next_one = await relay.post("executive-run", json=LAUNCH)

    assert (killed.status_code, killed.json()["code"]) == (546, "WORKER_LIMIT")
    assert time.monotonic() - began < 10
    assert (next_one.status_code, next_one.json()) == (200, {"success": True})


async def test_a_request_in_the_second_half_has_an_isolate_of_its_own(
    start_relay: StartRelay, upstream: ScriptedServer
) -> None:
    upstream.script(answer(200, {"success": True}), SILENCE)
    relay = start_relay(wall_clock_seconds=4)
    await relay.post("executive-run", json=LAUNCH)
    await asyncio.sleep(2.1)
    began = time.monotonic()

    killed = await relay.post("executive-run", json=LAUNCH)

    assert killed.status_code == 546
    assert time.monotonic() - began > 3, "the first isolate had less than two seconds left"


@pytest.fixture
async def hq(database: Database, tmp_path: Path) -> AsyncIterator[Hq]:
    async with open_hq(database, tmp_path) as running:
        yield running


async def test_a_request_that_is_cut_in_flight_is_one_run_and_found_again(hq: Hq, tmp_path: Path) -> None:
    """The page has no key to repeat: what finds the run again is that it is the same request."""
    service = await hq.service()
    await hq.vendors.script("openai", default_delay_ms=6000)
    processes, port = Processes(tmp_path), choose_port()
    start_relay_in_front_of(hq, service.url, processes, port=port, wall_clock_seconds=4)
    try:
        async with signed_in(hq) as president, Relay(port, tmp_path / "functions.log") as relay:
            session = await president.auth.get_session()
            assert session is not None
            headers = {"authorization": f"Bearer {session.access_token}", "apikey": hq.stack.anon_key}

            cut = await relay.post("executive-run", json={"run_type": RUN_TYPE}, headers=headers)
            (run,) = hq.rows("select id, status from hq.runs")
            async with asyncio.timeout(40):
                again = cut
                while again.status_code == cut.status_code:  # she clicks again
                    again = await relay.post("executive-run", json={"run_type": RUN_TYPE}, headers=headers)
    finally:
        processes.close()

    assert (cut.status_code, run["status"]) == (546, "running")
    assert again.status_code == httpx.codes.OK
    assert again.json()["run_id"] == str(run["id"])
    assert len(hq.rows("select id from hq.runs")) == 1
    assert await hq.model_calls() == 1
