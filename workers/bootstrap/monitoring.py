"""A worker that is monitored: what is counted, from where the rest is read, and the page that is scraped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from workers.backend.inspection import SupabaseInspection
from workers.bootstrap.parts import Parts, open_parts
from workers.metrics.labels import LabelSets
from workers.metrics.page import Monitoring
from workers.metrics.state import Readings
from workers.notifications.sentences import KINDS
from workers.ports import Clock, WakeupState
from workers.schema import read_files
from workers.settings import Settings
from workers.version import read_version


@asynccontextmanager
async def open_monitored_parts(settings: Settings, clock: Clock) -> AsyncIterator[Parts]:
    """Open everything a worker needs; where there is a port for it, count what it does and answer scrapes.

    Raises: ConfigurationError, also when that port is not available.
    """
    if settings.metrics.port is None:
        async with open_parts(settings, clock) as parts:
            yield parts
        return
    monitoring = Monitoring(_find_sets(settings))
    async with (
        open_parts(settings, clock, monitoring.observer) as parts,
        monitoring.serve(settings.metrics, _find_readings(settings, parts), clock),
    ):
        yield parts


def _find_sets(settings: Settings) -> LabelSets:
    configured = [model for models in settings.gateway.models.values() for model in models]
    functions = [file.name for file in read_files() if file.kind == "function" and not file.name.startswith("_")]
    return LabelSets.of(models=[*configured, settings.perplexity.model], functions=functions, kinds=KINDS)


def _find_readings(settings: Settings, parts: Parts) -> Readings:
    inspection = SupabaseInspection(parts.client)
    return Readings(
        executing=lambda: parts.worker.executing,
        concurrency=settings.worker.concurrency,
        breaker_states=parts.gateway.breaker_states,
        is_live=lambda: parts.wakeups.state is WakeupState.LIVE,
        rebuilds=lambda: parts.wakeups.rebuilds,
        queue=inspection.read_queue,
        deliveries=inspection.read_deliveries,
        budget=inspection.read_budget,
        version=read_version(),
    )
