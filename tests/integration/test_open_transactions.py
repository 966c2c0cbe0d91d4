"""Somebody leaves a transaction open in the SQL editor: only the row it holds waits for its end."""

import pytest
from support.hq import Hq


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
