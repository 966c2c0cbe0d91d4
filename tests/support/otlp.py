"""A collector of ours: receives spans by OTLP over HTTP, or is as slow, silent or contrary as a test says."""

import asyncio
import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Mood = Literal["well", "refusing", "silent"]

_PATIENCE_SECONDS = 20
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class SentSpan:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    failed: bool
    begin: int
    end: int
    raw: str = field(repr=False)


class Collector:
    """What arrived, in order; the mood may change at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.mood: Mood = "well"
        self.headers: list[dict[str, str]] = []
        self._spans: list[SentSpan] = []

    def spans(self, trace_id: str | None = None) -> list[SentSpan]:
        """Return what arrived so far, in the order of its begin."""
        found = [span for span in self._spans if trace_id in {None, span.trace_id}]
        return sorted(found, key=lambda span: span.begin)

    async def await_spans(self, trace_id: str, *names: str, count: int = 0) -> list[SentSpan]:
        """Wait until spans of all these names have arrived, and so many in all."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not set(names) <= {span.name for span in self.spans(trace_id)} or len(self.spans(trace_id)) < count:
            arrived = [(span.name, span.trace_id) for span in self.spans()]
            assert time.monotonic() < until, f"of {names} in {trace_id} there are {arrived}"
            await asyncio.sleep(_POLL_SECONDS)
        return self.spans(trace_id)

    def take(self, body: bytes) -> None:
        """Keep the spans of a request."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for of_resource in request.resource_spans:
            resource = _read_attributes(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self._spans += [
                    SentSpan(
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_read_attributes(span.attributes),
                        resource=resource,
                        failed=span.status.code == span.status.STATUS_CODE_ERROR,
                        begin=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                        raw=_print_without_ids(span),
                    )
                    for span in scope.spans
                ]


def name_trace(run_id: UUID) -> str:
    """Return the id of the trace of a run that nobody traced, as the documentation says it is made."""
    return hashlib.sha256(str(run_id).encode()).hexdigest()[:32]


@contextmanager
def open_collector() -> Iterator[Collector]:
    """Listen until the block ends."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            if collector.mood == "silent":
                released.wait()
                return
            if self.path != "/v1/traces" or collector.mood == "refusing":
                self.send_error(500)
                return
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            released.set()
            server.shutdown()
            thread.join()


def _print_without_ids(span: Any) -> str:
    """Print all of it but its ids, whose bytes may look like anything."""
    copy = type(span)()
    copy.CopyFrom(span)
    for name in ("trace_id", "span_id", "parent_span_id"):
        copy.ClearField(name)
    return str(copy)


def _read_attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
