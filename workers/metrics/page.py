"""The page that is scraped: ``GET /metrics``, on a port of its own, so that it is not on the public address."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from workers.metrics.counters import Counters
from workers.metrics.labels import LabelSets
from workers.metrics.state import Readings, StateCollector
from workers.ports import Clock
from workers.settings import MetricsSettings
from workers.web.server import serve_beside

log = structlog.get_logger(__name__)

PATH: Final = "/metrics"

# Twice as many series, of which nobody asks when the first event came. The library has one switch for the process.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Monitoring:
    """What one worker counts, and its page."""

    def __init__(self, sets: LabelSets) -> None:
        self._registry = CollectorRegistry()
        self._sets = sets
        self.observer = Counters(self._registry, sets)
        ProcessCollector(registry=self._registry)

    @asynccontextmanager
    async def serve(self, settings: MetricsSettings, readings: Readings, clock: Clock) -> AsyncIterator[None]:
        """Answer scrapes while the block lasts. Raises: ConfigurationError when the port is not available."""
        assert settings.port is not None
        async with serve_beside(
            self.open_page(readings, clock), settings.host, settings.port, variables="METRICS_HOST, METRICS_PORT"
        ) as port:
            log.info("metrics.listening", host=settings.host, port=port)
            yield

    def open_page(self, readings: Readings, clock: Clock) -> ASGIApp:
        """Return the application that answers scrapes, and nothing else."""
        state = StateCollector(readings, self._sets.models, clock)
        self._registry.register(state)

        async def answer(request: Request) -> Response:
            await state.refresh()
            encode, content_type = _choose_format(request.headers.get("accept", ""))
            return Response(encode(self._registry), headers={"content-type": content_type})

        app = Starlette(routes=[Route(PATH, answer, methods=["GET"])])
        app.router.redirect_slashes = False
        return app


def _choose_format(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number is compared with one
        return choose_encoder("")
