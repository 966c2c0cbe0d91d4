"""The database itself goes down under callers who wait: each gets an answer, and no run is begun without an end."""

import asyncio
import signal

import pytest
from support.hq import RUN_TYPE, Hq, Service
from support.stories import every_story_ends

CALLERS = 24


async def _ask(service: Service, owner: str, platform: str, number: int) -> int:
    body = {"run_type": RUN_TYPE, "platform_key": platform, "context_data": number}
    answer = await service.post("executive-run", body, token=owner)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().get("run_id") or answer.json()["error_code"]
    return answer.status_code


@pytest.mark.parametrize("how", ["fast", "immediate", "killed"])
async def test_a_database_that_goes_down_under_callers(hq: Hq, how: str) -> None:
    service = await hq.service(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10, RUN_WAIT_SECONDS=15)
    await hq.vendors.script("openai", default_delay_ms=300)
    owner = hq.stack.sign_in()
    platforms = [row["key"] for row in hq.rows("select key from hq.platforms")]
    asking = []
    for number in range(CALLERS):
        asking.append(asyncio.create_task(_ask(service, owner, platforms[number % len(platforms)], number)))
        await asyncio.sleep(0.1)
        if number % 8 == 4:
            if how == "killed":
                hq.database.cluster.kill()
            await asyncio.to_thread(hq.database.cluster.restart, "immediate" if how == "immediate" else "fast")

    statuses = await asyncio.gather(*asking)

    assert set(statuses) <= {200, 202, 429, 503}, statuses
    assert await every_story_ends(hq, within=90) > 0
    assert not service.worker.events("http.crashed"), service.worker.tail()


async def test_a_worker_that_is_killed_under_its_callers_leaves_its_runs_to_the_next(hq: Hq) -> None:
    service = await hq.service(RUN_WAIT_SECONDS=15)
    await hq.vendors.script("openai", default_delay_ms=1000)
    owner = hq.stack.sign_in()
    platforms = [row["key"] for row in hq.rows("select key from hq.platforms")]
    asking = [asyncio.create_task(_ask(service, owner, platform, 0)) for platform in platforms]
    await hq.vendors.wait_for("openai", calls=2)

    service.worker.signal(signal.SIGKILL)
    lost = await asyncio.gather(*asking, return_exceptions=True)
    await hq.worker()

    assert all(isinstance(answer, Exception) for answer in lost)
    assert await every_story_ends(hq, within=60) > 1
    assert {run["status"] for run in hq.rows("select status from hq.runs")} == {"completed"}
