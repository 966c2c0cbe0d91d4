"""Sends spans to a collector by OTLP over HTTP, beside the work: a collector that is away costs spans, nothing else.

A thread sends them in batches from a bounded queue; when that is full, the oldest are dropped.
"""

import asyncio
import contextlib
import contextvars
import hashlib
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final, Unpack
from uuid import UUID

import requests
import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.util.types import Attributes as AnyAttributes

from shared.errors import WorkersError
from shared.untrusted_text import clean_line
from workers.settings import TracesSettings
from workers.traces import NOTHING, Attributes, Span, SpanName, install
from workers.version import read_version

log = structlog.get_logger(__name__)

_QUEUED_SPANS: Final = 2048
_BATCH_SPANS: Final = 512
_SEND_SECONDS: Final = 5.0
_CLOSE: Final = timedelta(seconds=3)
"""How long a process that stops waits for its last spans to be sent."""
_VALUE_CHARS: Final = 120
_MOST: Final = 2**53

_KINDS: Final = {"http": SpanKind.SERVER, "call": SpanKind.CLIENT, "claim": SpanKind.CONSUMER}
# From which status on a call has failed: the semantic conventions say so of clients and of servers.
_FAILED_FROM: Final = {"http": 500, "call": 400}
_NEVER: Final = 1_000
# As the semantic conventions of OpenTelemetry call them, where they do.
_NAMES: Final[dict[str, str]] = {
    "function": "http.route",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "host": "server.address",
    "model": "gen_ai.request.model",
    "tokens_in": "gen_ai.usage.input_tokens",
    "tokens_out": "gen_ai.usage.output_tokens",
    "run_id": "emocare.run.id",
    "run_type": "emocare.run.type",
    "attempt": "emocare.run.attempt",
    "lease_token": "emocare.run.lease_token",
    "trigger": "emocare.run.trigger",
    "end": "emocare.run.end",
    "step": "emocare.step",
    "source": "emocare.source",
    "gaps": "emocare.source.gaps",
}
_wanted_trace: contextvars.ContextVar[int | None] = contextvars.ContextVar("wanted_trace", default=None)


@asynccontextmanager
async def export_traces(settings: TracesSettings, worker_id: str) -> AsyncIterator[None]:
    """Trace while the block is open; at its end, send what is left for three seconds at most."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what it repeats at every batch is logged here once
    session = _Session()
    exporter = _Reporting(
        OTLPSpanExporter(
            session=session,
            endpoint=f"{str(settings.endpoint).rstrip('/')}/v1/traces",
            headers=settings.read_headers(),
            timeout=_SEND_SECONDS,
        ),
        session,
    )
    provider = TracerProvider(
        resource=Resource(
            {
                "service.name": settings.service_name,
                "service.version": read_version(),
                "service.instance.id": worker_id,
            }
        ),
        shutdown_on_exit=False,  # it would wait for a collector that hangs
        id_generator=_TraceIds(),
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=_QUEUED_SPANS,
            max_export_batch_size=_BATCH_SPANS,
            schedule_delay_millis=settings.send_every / timedelta(milliseconds=1),
        )
    )
    provider.sampler = _OwnSampler(provider.sampler)
    install(OtelTracer(provider))
    try:
        yield
    finally:
        install(None)
        if not await _close(provider):
            exporter.is_abandoned = True
            log.warning("traces.left_unsent")


async def _close(provider: TracerProvider) -> bool:
    """Send what is left, in a thread that nobody waits for longer than its time; return whether that was enough."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()

    def close() -> None:
        provider.shutdown()
        if not loop.is_closed():
            loop.call_soon_threadsafe(closed.set)

    threading.Thread(target=close, name="traces", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE.total_seconds()):
            await closed.wait()
    return closed.is_set()


class OtelTracer:
    """Opens the spans of one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("emocare")

    @contextmanager
    def open(self, name: SpanName, *, parent: str | None, run: UUID | None, attributes: Attributes) -> Iterator[Span]:
        """Open a span; an exception that leaves the block marks it with its code or class, and passes.

        Being cancelled is no failure of what was cancelled.
        """
        if name == "call" and parent is None and not get_current_span().get_span_context().is_valid:
            yield NOTHING  # of a periodic task: by itself, it says nothing that the log does not
            return
        root = run if parent is None else None
        wanted = _wanted_trace.set(None if root is None else _hash(root))
        try:
            context = Context() if root is not None else None if parent is None else _read_context(parent, name)
            opened = self._tracer.start_span(name, context, _KINDS.get(name, SpanKind.INTERNAL))
        finally:
            _wanted_trace.reset(wanted)
        handle = _Span(opened, _FAILED_FROM.get(name, _NEVER))
        handle.note(**attributes)
        with use_span(opened, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield handle
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                handle.fail(error.code if isinstance(error, WorkersError) else type(error).__name__)
                raise

    def current_traceparent(self) -> str | None:
        """Return the traceparent of the span around the caller."""
        context = get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}"


class _Span:
    def __init__(self, span: OtelSpan, failed_from: int) -> None:
        self._span = span
        self._failed_from = failed_from
        self._is_failed = False

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def note(self, **attributes: Unpack[Attributes]) -> None:
        given: dict[str, Any] = dict(attributes)
        for name, value in given.items():
            self._span.set_attribute(_NAMES[name], _bound(value))
        if (status := attributes.get("status", 0)) >= self._failed_from:
            self.fail(str(status))

    def fail(self, fault: str) -> None:
        if not self._is_failed:
            self._is_failed = True
            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", _bound(fault))


def _hash(run_id: UUID) -> int:
    """Name the trace of a run, evenly: samplers compare the low bits of the id, of which UUIDs fix some."""
    return int.from_bytes(hashlib.sha256(str(run_id).encode()).digest()[:16], "big")


def _bound(value: str | int) -> str | int:
    return min(max(value, -_MOST), _MOST) if isinstance(value, int) else clean_line(str(value), _VALUE_CHARS)


def _read_context(traceparent: str, name: SpanName) -> Context:
    _, trace_id, span_id, flags = traceparent.split("-")
    given = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=name == "http",  # anybody's; what is read from the database was decided by one of our samplers
        trace_flags=TraceFlags(int(flags, 16)),
    )
    return set_span_in_context(NonRecordingSpan(given), Context())


class _OwnSampler(Sampler):
    """Decides as the sampler of the settings does; a caller may have its trace left out, and not have it recorded."""

    def __init__(self, chosen: Sampler) -> None:
        self._chosen = chosen

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: AnyAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_remote and parent.trace_flags.sampled:
            parent_context = Context()
        return self._chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"own({self._chosen.get_description()})"


class _TraceIds(RandomIdGenerator):
    """Names a trace after its run, where that is wanted: every worker that executes it finds the same trace."""

    def generate_trace_id(self) -> int:
        wanted = _wanted_trace.get()
        return super().generate_trace_id() if wanted is None else wanted


class _Session(requests.Session):
    """Keeps what became of the last try to send: a status, or the class of what went wrong."""

    outcome = ""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 - handed on
        try:
            response = super().send(request, **options)
        except Exception as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = str(response.status_code)
        return response


class _Reporting(SpanExporter):
    """Logs once that spans cannot be sent, and once that they can again."""

    def __init__(self, exporter: SpanExporter, session: _Session) -> None:
        self._exporter = exporter
        self._session = session
        self._failing = False
        self.is_abandoned = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001 - whatever is wrong with a collector, it is not a worker's end
            result = SpanExportResult.FAILURE
        failing = result is not SpanExportResult.SUCCESS
        if failing != self._failing and not self.is_abandoned:
            self._failing = failing
            if failing:
                log.warning("traces.not_sent", setting="OTEL_EXPORTER_OTLP_ENDPOINT", answer=self._session.outcome)
            else:
                log.info("traces.sent_again")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
