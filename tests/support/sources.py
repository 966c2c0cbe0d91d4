"""A source as a run asks it: what it raises comes back as a gap."""

from datetime import timedelta

from shared.findings import Collected
from workers.clock import SystemClock
from workers.ports import Source, Subject
from workers.sources import collect_all


async def collect_from(source: Source, subject: Subject) -> Collected:
    """Ask one source."""
    return await collect_all(
        [source], subject, names_wanted=[source.name], timeout=timedelta(seconds=20), clock=SystemClock()
    )
