"""PostgreSQL and PostgREST go away under load and come back: no run is lost, and nobody has to help."""

import asyncio
import time
from collections.abc import Callable

import pytest
from support.hq import Hq

RUNS = 100
ENDED = "select from (select count(*) from hq.runs where status = 'completed') as ended where count > %s"


async def harm_postgres_fast(hq: Hq) -> None:
    await asyncio.to_thread(hq.database.cluster.restart, "fast")


async def harm_postgres_immediate(hq: Hq) -> None:
    await asyncio.to_thread(hq.database.cluster.restart, "immediate")


async def harm_postgres_killed(hq: Hq) -> None:
    hq.database.cluster.kill()
    await asyncio.to_thread(hq.database.cluster.restart, "fast")


async def harm_postgrest(hq: Hq) -> None:
    await asyncio.to_thread(hq.stack.stop_postgrest)
    await asyncio.sleep(1)
    await asyncio.to_thread(hq.stack.start_postgrest)


async def harm_connections(hq: Hq) -> None:
    """End every session of the API, time and again, in the middle of whatever it does."""
    for _ in range(20):
        hq.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'")
        await asyncio.sleep(0.1)


HARMS = [harm_postgres_fast, harm_postgres_immediate, harm_postgres_killed, harm_postgrest, harm_connections]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__.removeprefix("harm_"))
async def test_no_run_is_lost_when_the_backend_goes_away_under_load(
    hq: Hq, harm: Callable[[Hq], asyncio.Future[None]], record_figure: Callable[[str, object], None]
) -> None:
    await hq.vendors.script("openai", {"delay_ms": 200}, {"delay_ms": 500}, repeat=True)
    # Leases as in production: an outage of seconds must not cost anybody his run.
    pace = {"WORKER_CONCURRENCY": 4, "LEASE_SECONDS": 30, "LEASE_RENEW_SECONDS": 10}
    workers = [await hq.worker(pace) for _ in range(2)]
    asked = [hq.ask() for _ in range(RUNS)]

    for _ in range(2):
        settled = hq.one("select count(*) from hq.runs where status = 'completed'")["count"]
        await harm(hq)
        returned = time.monotonic()
        await hq.until(ENDED, settled + 10, within=45)
        record_figure("ten more runs after", f"{time.monotonic() - returned:.1f} s")
    await hq.until("select where not exists (select from hq.run_queue)", within=180)
    record_figure("backlog gone after", f"{time.monotonic() - returned:.1f} s")
    for run_id in asked:
        run = hq.run(run_id)
        assert run["status"] == "completed", f"{run}\n{hq.explain()}"

    assert all(worker.is_alive for worker in workers)
    assert sum(len(worker.events("worker.started")) for worker in workers) == 2
    ends = hq.rows(
        "select run_id from hq.structured_logs where message = 'run.completed' group by run_id having count(*) > 1"
    )
    assert not ends
    record_figure("rescued", hq.one("select count(*) from hq.structured_logs where message = 'run.rescued'")["count"])


async def test_reports_that_are_ready_during_an_outage_are_kept_when_it_ends(hq: Hq) -> None:
    """Paid answers wait in the workers' hands; nobody else can have them."""
    await hq.vendors.script("openai", {"delay_ms": 1_000}, repeat=True)
    worker = await hq.worker(LEASE_SECONDS=30, LEASE_RENEW_SECONDS=10)
    asked = [hq.ask() for _ in range(8)]
    await hq.vendors.wait_for("openai", calls=8)

    hq.stack.stop_postgrest()
    await asyncio.sleep(4)
    hq.stack.start_postgrest()

    for run_id in asked:
        run = await hq.settled(run_id)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), worker.tail()
    assert await hq.model_calls() == 8


async def test_a_worker_that_still_works_keeps_its_runs_over_an_outage_longer_than_its_lease(hq: Hq) -> None:
    """Whoever is back first renews before anybody rescues."""
    await hq.vendors.script("openai", {"delay_ms": 6_000}, repeat=True)
    workers = [await hq.worker(WORKER_CONCURRENCY=4) for _ in range(2)]
    asked = [hq.ask() for _ in range(8)]
    await hq.vendors.wait_for("openai", calls=8)

    hq.stack.stop_postgrest()
    await asyncio.sleep(3)  # the leases are of two seconds
    hq.stack.start_postgrest()

    for run_id in asked:
        run = await hq.settled(run_id)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1), workers[0].tail()
    assert await hq.model_calls() == 8
