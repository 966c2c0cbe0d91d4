"""SIGKILL between any two lines of a delivery: nothing is lost, and at most one message comes twice, as the same."""

import random

import pytest
from support.hq import Hq
from support.notifications import device_settings, subscribe

LINES = 90  # a delivery to a webhook and to a device passes fewer
SAMPLES = 10


@pytest.mark.timeout(240)  # twenty-two workers start, one after the other
async def test_a_worker_killed_at_any_line_of_a_delivery_costs_one_duplicate_at_most(hq: Hq) -> None:
    await subscribe(hq)
    address = hq.vendors.base_url.removeprefix("http://")
    settings: dict[str, object] = {
        "NOTIFY_URLS": f"json://{address}/hook/a", "NOTIFY_SECONDS": 0.3, **device_settings(hq)
    }  # fmt: skip
    died = duplicates = 0
    drawn = random.Random(13)
    for line in [1, *sorted(drawn.sample(range(2, LINES), SAMPLES))]:
        await hq.vendors.reset()
        key = f"run_failed:{line}"
        environment = hq.environment(**settings, DIE_AT_LINE=line)
        mortal = hq._start(environment, module="support.mortal_notifier")
        await mortal.logged("worker.started")
        hq.rows("select hq.announce_event(%s, 'run_failed', '{\"report\": \"Audit SEO\"}')", key)
        ended = (
            "select from hq.deliveries where message_key = %s having count(*) filter (where status = 'accepted') = 2"
        )
        while mortal.is_alive and not hq.rows(ended, key):
            await hq.until("select pg_sleep(0.05)")
        died += not mortal.is_alive
        mortal.kill()
        # The leases of the dead one are over, as they are after 90 s.
        hq.rows("update hq.deliveries set leased_until = now() where leased_until is not null returning 1")

        heir = await hq.worker(settings)
        await hq.until(ended, key)
        heir.kill()

        hooks = [call["headers"]["x-emocare-message"] for call in await hq.vendors.calls("hook")]
        pushes = [call["headers"]["topic"] for call in await hq.vendors.calls("push")]
        for received in (hooks, pushes):
            assert 1 <= len(received) <= 2, (line, hooks, pushes)
            assert len(set(received)) == 1, line
        duplicates += len(hooks) + len(pushes) - 2

    assert died > SAMPLES / 2, "most of them were killed on the way"
    assert duplicates > 0, "some were killed between the sending and its record"
