"""A worker that comes back from the dead writes nothing: its lease's token is behind the run's."""

import signal
from uuid import UUID

import pytest
from support.hq import Hq

STOP = int(signal.SIGSTOP)

# Everything that a run leaves, but for two things that a late worker may well write: that it lives, and its own bill.
SNAPSHOT = (
    "select to_jsonb(r) as run, "
    "(select jsonb_agg(to_jsonb(s) order by s.step_order) from hq.run_steps as s where s.run_id = r.id) as steps, "
    "(select jsonb_agg(to_jsonb(e) order by e.id) from hq.run_evidence as e where e.run_id = r.id) as evidence, "
    "(select jsonb_agg(to_jsonb(l) order by l.id) from hq.structured_logs as l where l.run_id = r.id) as logs, "
    "(select to_jsonb(q) from hq.run_queue as q where q.run_id = r.id) as queue, "
    "(select to_jsonb(q) from hq.run_requests as q where q.run_id = r.id) as request "
    "from hq.runs as r where r.id = %s"
)


async def test_a_worker_that_was_paused_past_its_lease_writes_nothing_when_it_goes_on(hq: Hq) -> None:
    """The model answers while it sleeps; it wakes with a report in its hands, and a lease that is gone."""
    await hq.vendors.script("openai", {"delay_ms": 3_000, "content": "## Le rapport du zombie"})
    late = await hq.worker()
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    late.pause()

    await hq.worker()
    before = await finished(hq, run_id)
    late.resume()

    end = await late.logged("run.settled", run_id=str(run_id))
    assert end["end"] in {"lost", "lease_lost"}
    assert hq.one(SNAPSHOT, run_id) == before
    assert "zombie" not in str(before)
    bills = hq.rows("select lease_token, calls from hq.run_costs where run_id = %s order by lease_token", run_id)
    assert len(bills) in {1, 2}, "one bill per lease, and none for a call whose answer was never read"
    assert all(bill["calls"] == 1 for bill in bills)
    next_run = hq.ask()
    assert (await hq.settled(next_run))["status"] == "completed"
    assert late.is_alive


async def test_a_worker_that_is_paused_just_before_it_settles_writes_nothing_when_it_goes_on(hq: Hq) -> None:
    """Its settlement is on its way already: it has no way to know that it lost the run."""
    await hq.vendors.script("openai", {"delay_ms": 300}, repeat=True)
    late = hq.start_worker(module="support.mortal", DIE_AT="settle:before", DIE_BY=STOP)
    run_id = hq.ask()
    await hq.until("select from hq.run_steps where run_id = %s and name = 'Rapport du modèle'", run_id)
    await late.paused()

    await hq.worker()
    before = await finished(hq, run_id)
    late.resume()

    await late.logged("run.settled", run_id=str(run_id), end="lease_lost")
    assert hq.one(SNAPSHOT, run_id) == before
    assert await hq.model_calls() == 1, "the answer that the late worker had checkpointed was paid for again"


async def test_a_lease_that_was_handed_back_is_void_although_nobody_took_the_run_yet(hq: Hq) -> None:
    """The tokens alone would not show it: no newer one was given out."""
    await hq.vendors.script("openai", {"delay_ms": 300}, repeat=True)  # slow enough to be worth a checkpoint
    late = hq.start_worker(module="support.mortal", DIE_AT="settle:before", DIE_BY=STOP)
    run_id = hq.ask()
    await hq.until("select from hq.run_steps where run_id = %s and name = 'Rapport du modèle'", run_id)
    await late.paused()

    released = hq.one(
        "select public.release_hq_runs(jsonb_build_array(to_jsonb(q))) as released from hq.run_queue as q"
    )
    assert released["released"] == 1
    late.signal(signal.SIGTERM)  # it shall stop before it may claim the run itself
    late.resume()
    assert await late.exit_code() == 0
    assert late.events("run.settled", end="lease_lost"), late.tail()
    assert hq.run(run_id)["status"] == "pending"

    await hq.worker()
    run = await hq.settled(run_id)
    assert run["detailed_appendix"]["attempt"] == 1
    assert hq.logs(run_id) == ["run.started", "run.released", "run.started", "run.completed"]


@pytest.mark.parametrize("lost", ["handed back", "run out"])
@pytest.mark.parametrize("late_at", ["checkpoint Rapport du modèle:before", "settle:before"])
async def test_a_former_worker_writes_nothing_while_its_successor_is_at_work(hq: Hq, late_at: str, lost: str) -> None:
    """The run is under way and leased: only the token shows whose write it is."""
    await hq.vendors.script("openai", {"delay_ms": 300}, repeat=True)  # slow enough to be worth a checkpoint
    late = hq.start_worker(module="support.mortal", DIE_AT=late_at, DIE_BY=STOP)
    run_id = hq.ask()
    await hq.until("select from hq.run_queue where worker_id is not null")
    await late.paused()
    if lost == "handed back":
        hq.one("select public.release_hq_runs(jsonb_build_array(to_jsonb(q))) from hq.run_queue as q")
    successor = hq.start_worker(module="support.mortal", DIE_AT="settle:before", DIE_BY=STOP, LEASE_SECONDS=60)
    await successor.paused()
    before = hq.one(SNAPSHOT, run_id)
    assert before["run"]["status"] == "running"

    late.resume()
    await late.logged("run.settled", run_id=str(run_id))

    assert hq.one(SNAPSHOT, run_id) == before
    successor.resume()
    assert (await hq.settled(run_id))["status"] == "completed"
    assert hq.logs(run_id).count("run.completed") == 1


async def finished(hq: Hq, run_id: UUID) -> dict[str, object]:
    """Wait until another worker has finished the run; return all that it left."""
    run = await hq.settled(run_id)
    assert run["status"] == "completed"
    return hq.one(SNAPSHOT, run_id)
