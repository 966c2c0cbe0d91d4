"""One test at the pace of production: how long a dead worker's runs wait, with the settings that are deployed."""

import time
from collections.abc import Callable
from typing import Final

from support.hq import Hq

from workers.settings import WorkerSettings

SETTINGS: Final = WorkerSettings()
# Nothing of the tests' haste: every delay is the default.
PRODUCTION: Final = {
    str(field.alias): f"{value.total_seconds() if hasattr(value, 'total_seconds') else value}"
    for name, field in WorkerSettings.model_fields.items()
    for value in [getattr(SETTINGS, name)]
}


async def test_a_dead_workers_runs_are_under_way_again_within_forty_seconds(
    hq: Hq, record_figure: Callable[[str, object], None]
) -> None:
    await hq.vendors.script("openai", *[{"delay_ms": 120_000}] * 8)
    dying = await hq.worker(PRODUCTION)
    asked = [hq.ask() for _ in range(8)]
    await hq.vendors.wait_for("openai", calls=8)
    await dying.logged("worker.started")
    await hq.worker(PRODUCTION)
    # The worst moment: every lease was renewed just now.
    renewed = hq.one("select max(leased_until) as until from hq.run_queue")["until"]
    await hq.until("select from hq.run_queue having max(leased_until) > %s", renewed, within=12)

    dying.kill()
    killed = time.monotonic()
    for run_id in asked:
        await hq.became(run_id, "pending", "completed", within=45)
        await hq.until("select from hq.structured_logs where run_id = %s and message = 'run.started' offset 1", run_id)
    took = time.monotonic() - killed

    record_figure("rescue of eight runs", f"{took:.1f} s")
    assert 25 < took <= 40
    for run_id in asked:
        assert (await hq.settled(run_id))["status"] == "completed"
