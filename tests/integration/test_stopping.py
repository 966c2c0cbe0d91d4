"""A worker that gets SIGTERM finishes what it can, hands the rest back, and exits 0."""

import asyncio
import signal

import pytest
from support.hq import Hq

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
async def test_work_that_ends_within_the_grace_period_is_finished(hq: Hq, number: signal.Signals) -> None:
    worker = await hq.worker()
    await hq.vendors.script("openai", {"delay_ms": 1_500})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)

    worker.signal(number)

    assert await worker.exit_code() == 0
    assert hq.run(run_id)["status"] == "completed"
    assert hq.logs(run_id) == ["run.started", "run.completed"]


@pytest.mark.parametrize("number", SIGNALS)
async def test_work_that_does_not_end_in_time_is_handed_back_without_counting_an_attempt(
    hq: Hq, number: signal.Signals
) -> None:
    worker = await hq.worker(SHUTDOWN_GRACE_SECONDS=0.5)
    await hq.vendors.script("openai", {"delay_ms": 30_000})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)

    worker.signal(number)
    assert await worker.exit_code(within=5) == 0
    waiting = hq.one("select q.*, r.status from hq.run_queue as q join hq.runs as r on r.id = q.run_id")

    assert (waiting["status"], waiting["worker_id"], waiting["attempt"]) == ("pending", None, 0)
    await hq.worker()
    run = await hq.settled(run_id)
    assert run["status"] == "completed"
    assert run["detailed_appendix"]["attempt"] == 1
    assert hq.logs(run_id) == ["run.started", "run.released", "run.started", "run.completed"]


async def test_another_worker_takes_over_what_is_handed_back_within_a_second(hq: Hq) -> None:
    leaving = await hq.worker(SHUTDOWN_GRACE_SECONDS=0.1)
    await hq.vendors.script("openai", {"delay_ms": 30_000})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    staying = await hq.worker(live=True, SWEEP_SECONDS=30)

    leaving.signal(signal.SIGTERM)
    await leaving.exit_code()
    await hq.vendors.wait_for("openai", calls=2)

    query = "select message, created_at from hq.structured_logs where run_id = %s order by created_at"
    moments = {line["message"]: line["created_at"] for line in hq.rows(query, run_id)}
    assert (moments["run.started"] - moments["run.released"]).total_seconds() < 1, staying.tail()


async def test_a_stopping_worker_takes_no_more_work(hq: Hq) -> None:
    worker = await hq.worker(WORKER_CONCURRENCY=2)
    await hq.vendors.script("openai", {"delay_ms": 1_500})
    first = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)

    worker.signal(signal.SIGTERM)
    await worker.logged("worker.draining")
    late = hq.ask()

    assert await worker.exit_code() == 0
    assert hq.run(first)["status"] == "completed"
    assert hq.run(late)["status"] == "pending"


async def test_a_worker_that_stops_is_gone_from_the_list_and_one_that_dies_is_not(hq: Hq) -> None:
    stopped, died = await hq.worker(), await hq.worker()
    await hq.until("select from hq.workers having count(*) = 2")  # each says so after it has begun

    died.signal(signal.SIGKILL)
    stopped.signal(signal.SIGTERM)
    await stopped.exit_code()

    assert len(hq.rows("select * from hq.workers")) == 1


async def test_an_idle_worker_stops_at_once(hq: Hq) -> None:
    worker = await hq.worker(live=True, SHUTDOWN_GRACE_SECONDS=60, SWEEP_SECONDS=60)

    worker.signal(signal.SIGTERM)

    assert await worker.exit_code(within=3) == 0


async def test_a_worker_stops_in_time_although_supabase_is_away(hq: Hq) -> None:
    """Else the platform kills it, and the log would not say that its runs wait for their leases to end."""
    worker = await hq.worker(SHUTDOWN_GRACE_SECONDS=0.5)
    await hq.vendors.script("openai", {"delay_ms": 30_000})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)

    hq.stack.stop_postgrest()
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code(within=14) == 0
    assert worker.events("backend.failed", call="release")
    hq.stack.start_postgrest()

    await hq.worker()
    assert (await hq.settled(run_id))["status"] == "completed"


async def test_a_second_signal_changes_nothing(hq: Hq) -> None:
    worker = await hq.worker()
    await hq.vendors.script("openai", {"delay_ms": 1_000})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)

    for _ in range(3):
        worker.signal(signal.SIGINT)
        await asyncio.sleep(0.1)

    assert await worker.exit_code() == 0
    assert hq.run(run_id)["status"] == "completed"
