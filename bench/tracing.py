"""What traces cost: where nobody collects them, and where somebody does."""

import os
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.cpu import read_tree
from bench.figures import Figure
from bench.rig import NO_VENDOR, Rig, open_rig
from workers import traces

_RUNS: Final = 150
_BLOCKS: Final = 4
_WARM_UP: Final = 20
_SPANS: Final = 200_000


async def tracing() -> list[Figure]:
    """Compare workers with and without a collector in turn; count the spans of a run, and time one where it is off."""
    spent: dict[str, list[float]] = {"off": [], "on": []}
    with open_rig() as rig, _collect() as collector:
        for block in range(2 * _BLOCKS):
            name = ("off", "on")[block % 2]
            endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} if name == "on" else {}
            spent[name].append(await _spend(rig, endpoint))
    spans = collector.spans / (_BLOCKS * (_RUNS + _WARM_UP))
    off, on = (statistics.median(spent[name]) for name in ("off", "on"))
    one = _time_span()
    load = f"load {os.getloadavg()[0]:.0f}"
    return [
        Figure(
            "traces off, of the worker's CPU per run",
            f"{spans * one / off:.3%}",
            "nothing measurable",
            f"{spans:.1f} spans x {one * 1e9:.0f} ns = {spans * one * 1e6:.1f} µs of {off * 1e3:.1f} ms; {load}",
        ),
        Figure(
            "traces on: the worker's CPU per run",
            f"{on * 1e3:.1f} ms, off {off * 1e3:.1f} ms: {on / off - 1:+.1%}",
            "-",
            f"medians of {_BLOCKS} blocks each of {_RUNS} runs, in turn; {load}",
        ),
    ]


async def _spend(rig: Rig, settings: dict[str, str]) -> float:
    """Return the CPU seconds that a worker of its own spends on a run."""
    worker = rig.start_worker(WORKER_CONCURRENCY="32", **settings, **NO_VENDOR)
    try:
        await _run(rig, _WARM_UP)
        began = read_tree(worker.pid)
        await _run(rig, _RUNS)
        return (read_tree(worker.pid) - began) / _RUNS
    finally:
        worker.terminate()
        worker.wait()


async def _run(rig: Rig, count: int) -> None:
    rig.queue_runs(count, "REVENUE_FORECAST")
    await rig.until("select (count(*) = 0)::int from hq.run_queue")


def _time_span() -> float:
    """Return what a span costs where nobody collects. Units: CPU seconds."""
    began = time.process_time()
    for _ in range(_SPANS):
        with traces.span("call", method="GET", host="api.github.com") as span:
            span.note(status=200)
    return (time.process_time() - began) / _SPANS


class _Collector:
    def __init__(self, url: str) -> None:
        self.url = url
        self.spans = 0


@contextmanager
def _collect() -> Iterator[_Collector]:
    """Count the spans that arrive."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
            collector.spans += sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = _Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield collector
        finally:
            server.shutdown()
