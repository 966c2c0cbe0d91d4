"""What channels that hang cost the runs beside them."""

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator
from typing import Final

from bench.figures import Figure
from bench.rig import NO_VENDOR, Rig, open_rig

_RUNS: Final = 150
_TURNS: Final = 3
_CHANNELS: Final = 4


async def dead_channels() -> list[Figure]:
    """Runs per second of one worker with and without four channels that accept a connection and never answer."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with open_rig() as rig, _silent_server() as port:
        urls = " ".join(f"json://127.0.0.1:{port}/{number}" for number in range(_CHANNELS))
        for _ in range(_TURNS):
            for with_channels in (False, True):
                settings = {"NOTIFY_URLS": urls, "NOTIFY_SECONDS": "1"} if with_channels else {}
                rates[with_channels].append(await _measure(rig, settings))
        tried = rig.number("select count(*) from hq.delivery_targets where failed_at is not null")
    assert tried == _CHANNELS
    without, beside = (statistics.median(rates[key]) for key in (False, True))
    return [
        Figure(
            f"runs per second beside {_CHANNELS} channels that hang",
            f"{beside:.0f}/s, without {without:.0f}/s: ratio {beside / without:.2f}",
            "≥ 0.95",
            f"medians of {_TURNS} times {_RUNS} whole runs in turn, a model of 0 ms",
        )
    ]


async def _measure(rig: Rig, settings: dict[str, str]) -> float:
    rig.empty()
    rig.sql.execute("truncate hq.deliveries, hq.announcements")
    rig.rows("update hq.delivery_targets set held_until = null returning 1")
    worker = rig.start_worker(**NO_VENDOR, **settings)
    await rig.until(
        "select count(*) from hq.worker_heartbeats where realtime = 'live' and seen_at > now() - '2 s'::interval"
    )
    rig.rows(
        "select hq.announce_event('run_failed:' || gen_random_uuid(), 'run_failed', '{}') from generate_series(1, 9)"
    )
    if settings:  # while the channels are being tried
        await rig.until("select count(*) from hq.deliveries where leased_until > now()")
    began = time.monotonic()
    rig.queue_runs(_RUNS, "REVENUE_FORECAST")
    await rig.until("select (count(*) = 0)::int from hq.run_queue")
    rate = _RUNS / (time.monotonic() - began)
    if settings:  # or the runs were done before they had all been found to hang
        held = "select (count(*) = %s)::int from hq.delivery_targets where held_until is not null"
        await rig.until(held, _CHANNELS)
    worker.terminate()
    worker.wait()
    return rate


@contextlib.contextmanager
def _silent_server() -> Iterator[int]:
    """Let the kernel accept connections that nobody reads."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        yield listener.getsockname()[1]
