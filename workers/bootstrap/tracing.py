"""Traces, where somebody collects them."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Final

from shared.errors import ConfigurationError
from workers.settings import TracesSettings

# Those that the SDK knows. It takes any other for its default, and a share that is none for 1: both record everything.
_SAMPLERS: Final = frozenset({
    "always_on", "always_off", "traceidratio",
    "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
})  # fmt: skip


@asynccontextmanager
async def open_traces(settings: TracesSettings, worker_id: str) -> AsyncIterator[None]:
    """Trace while the block is open, if there is a collector; nothing is imported where there is none.

    Raises: ConfigurationError when the packages of the extra ``traces`` are not installed, or refuse a setting.
    """
    if settings.endpoint is None or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield
        return
    try:
        exporting = import_module("workers.traces.exporting")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: the packages that send traces are missing. "
            "Install emocare-hq-workers[traces], or unset it."
        ) from error
    _check_sampler()
    async with AsyncExitStack() as opened:
        try:
            await opened.enter_async_context(exporting.export_traces(settings, worker_id))
        except ValueError as error:
            raise ConfigurationError(f"OTEL_…: OpenTelemetry refuses a setting: {error}") from error
        yield


def _check_sampler() -> None:
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on").lower()
    if sampler not in _SAMPLERS:
        raise ConfigurationError(f"OTEL_TRACES_SAMPLER: must be one of {', '.join(sorted(_SAMPLERS))}.")
    share = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "")
    if sampler.endswith("traceidratio") and share and not _is_share(share):
        raise ConfigurationError("OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1, such as 0.1.")


def _is_share(value: str) -> bool:
    try:
        return 0 <= float(value) <= 1
    except ValueError:
        return False
