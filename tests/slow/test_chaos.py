"""The worse hours of `python -m bench chaos`, as short as can be: nothing is lost, doubled, or left to a person.

Workers that are killed in a storm are in test_kills.py; PostgreSQL and PostgREST that restart, in
test_backend_outages.py. Here are the two others: the network, and a database that works but hardly answers.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from support.hq import Hq

from devstack.damage import LOCKS, harm_network, stress_postgres
from devstack.network import Network

SECONDS: Final = 8
# The proportions of production, a quarter as long: what is silent for two seconds costs nobody his lease.
PACE: Final = {"WORKER_CONCURRENCY": 4, "LEASE_SECONDS": 8, "LEASE_RENEW_SECONDS": 2.5}


def harm_the_network(_: Hq, network: Network) -> None:
    harm_network(network, SECONDS)


def harm_the_database(hq: Hq, _: Network) -> None:
    got = stress_postgres(hq.stack, SECONDS)
    # Who asks meanwhile may keep some from us; never most.
    assert got > len(LOCKS) / 2, f"{got} of {len(LOCKS)} locks"


@pytest.mark.parametrize("harm", [harm_the_network, harm_the_database], ids=["network", "stress"])
async def test_runs_that_keep_coming_through_the_damage_end_once_and_soon_after_it(
    hq: Hq, harm: Callable[[Hq, Network], None], record_figure: Callable[[str, object], None]
) -> None:
    await hq.vendors.script("openai", {"delay_ms": 200}, {"delay_ms": 500}, repeat=True)
    with Network(hq.stack.gateway_port) as network:
        pace: dict[str, Any] = PACE | {"SUPABASE_URL": network.url}
        workers = [hq.start_worker(**pace) for _ in range(2)]
        for worker in workers:
            await worker.logged("worker.started", within=120)
        asked = [hq.ask(idempotency_key=f"before-{number}") for number in range(10)]
        await hq.until("select from hq.runs where status = 'completed'")

        damage = asyncio.create_task(asyncio.to_thread(harm, hq, network))
        while not damage.done():
            # In a thread: who asks waits for locks, too, and must not hold up whoever releases them.
            asked.append(await asyncio.to_thread(hq.ask, idempotency_key=f"meanwhile-{len(asked)}"))
            await asyncio.sleep(0.4)
        await damage
        repaired = time.monotonic()
        await hq.until("select where not exists (select from hq.run_queue)", within=60)
        gone = time.monotonic() - repaired

    attempts = [hq.run(run_id)["detailed_appendix"]["attempt"] for run_id in asked]
    record_figure(
        "backlog gone after", f"{gone:.1f} s, {len(asked)} runs, {sum(attempts) - len(asked)} attempts wasted"
    )
    assert Counter(hq.run(run_id)["status"] for run_id in asked) == {"completed": len(asked)}, hq.explain()
    assert hq.one("select count(*) from hq.runs")["count"] == len(asked) == len(set(asked))
    ends = hq.rows("select run_id from hq.structured_logs where message in ('run.completed', 'run.failed')")
    assert sorted(end["run_id"] for end in ends) == sorted(asked)
    # The same processes as before: nobody had to start one again.
    assert [worker.is_alive and len(worker.events("worker.started")) for worker in workers] == [1, 1]
