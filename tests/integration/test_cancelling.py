"""A cancelled run ends at once for whoever looks, and within two seconds for whoever works on it."""

import time
from uuid import UUID

import pytest
from support.hq import Hq

# As in production: with Realtime, a cancellation is heard; without, it is asked for.
PACE = {"LEASE_SECONDS": 30, "LEASE_RENEW_SECONDS": 10, "CANCEL_POLL_SECONDS": 1.5}


async def begin(hq: Hq) -> UUID:
    """Bring a run to the middle of a model call that would take half a minute."""
    await hq.vendors.script("openai", {"delay_ms": 30_000})
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    return run_id


@pytest.mark.parametrize("realtime", ["live", "dead"])
async def test_a_cancellation_aborts_the_models_call_within_two_seconds(hq: Hq, realtime: str) -> None:
    pace = PACE
    if realtime == "dead":
        hq.stack.kill_realtime()
        pace = PACE | {"REALTIME_RETRY_BASE_SECONDS": 60, "REALTIME_RETRY_CAP_SECONDS": 60}  # nor does its return help
    worker = await hq.worker(live=realtime == "live", **pace)
    run_id = await begin(hq)

    cancelled = time.monotonic()
    assert hq.one("select public.cancel_hq_run(%s) as status", run_id)["status"] == "cancelled"
    await hq.vendors.wait_for("openai", aborted=1)
    took = time.monotonic() - cancelled

    assert took < 2.0, worker.tail()
    await worker.logged("run.settled", run_id=str(run_id), end="cancelled")
    run = hq.run(run_id)
    assert run["status"] == "cancelled"
    assert run["executive_summary"].startswith("Exécution annulée à votre demande.")
    assert hq.logs(run_id) == ["run.started", "run.cancelled"]


async def test_a_row_cancelled_in_the_table_editor_stops_the_work_too(hq: Hq) -> None:
    await hq.worker(live=True, **PACE)
    run_id = await begin(hq)

    hq.rows("update hq.runs set status = 'cancelled' where id = %s returning id", run_id)

    await hq.vendors.wait_for("openai", aborted=1)
    await hq.until("select from (select count(*) from hq.run_queue) as q where count = 0")
    assert hq.run(run_id)["status"] == "cancelled"


async def test_a_deleted_row_stops_the_work_too(hq: Hq) -> None:
    worker = await hq.worker()
    run_id = await begin(hq)

    hq.rows("delete from hq.runs where id = %s returning id", run_id)

    await hq.vendors.wait_for("openai", aborted=1)
    await worker.logged("run.settled", run_id=str(run_id), end="lost")
    assert (await hq.settled(hq.ask()))["status"] == "completed"


async def test_a_run_cancelled_before_it_began_is_never_begun(hq: Hq) -> None:
    run_id = hq.ask()
    hq.rows("select public.cancel_hq_run(%s)", run_id)

    await hq.worker()
    await hq.settled(hq.ask())

    assert hq.run(run_id)["status"] == "cancelled"
    assert await hq.model_calls() == 1
