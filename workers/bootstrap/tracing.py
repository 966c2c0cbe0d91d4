"""Traces, where somebody collects them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from shared.errors import ConfigurationError
from workers.settings import TracesSettings


@asynccontextmanager
async def open_traces(settings: TracesSettings, worker_id: str) -> AsyncIterator[None]:
    """Trace while the block is open, if there is a collector; nothing is imported where there is none.

    Raises: ConfigurationError when the packages of the extra ``traces`` are not installed.
    """
    if settings.endpoint is None:
        yield
        return
    try:
        exporting = import_module("workers.traces.exporting")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: the packages that send traces are missing. "
            "Install emocare-hq-workers[traces], or unset it."
        ) from error
    async with exporting.export_traces(settings, worker_id):
        yield
