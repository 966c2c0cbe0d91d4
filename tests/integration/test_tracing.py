"""The trace of one run, from the page's call to the settlement, and across two workers when the first is killed."""

import contextlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.hq import Hq
from support.otlp import Collector, SentSpan, name_trace, open_collector
from support.running_relay import start_relay_in_front_of

from devstack.processes import Processes

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
BODY = {"run_type": "PLATFORM_STATUS_REVIEW", "platform_key": "nearvity", "context_data": {"note": "un secret"}}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


@pytest.fixture
def tracing(collector: Collector) -> dict[str, object]:
    """What a worker is told so that it traces."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRACES_SEND_SECONDS": 0.1}


@contextlib.contextmanager
def open_relay(hq: Hq, workers_url: str, folder: Path) -> Iterator[str]:
    with contextlib.closing(Processes(folder / "relay")) as processes:
        yield start_relay_in_front_of(hq, workers_url, processes)


def call_relay(hq: Hq, url: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {hq.stack.sign_in()}", "traceparent": TRACEPARENT}
    return httpx.post(f"{url}/executive-run", json=BODY, headers=headers, timeout=30)


def draw(spans: list[SentSpan]) -> set[tuple[str, str]]:
    """Name each span with its parent."""
    names = {span.span_id: label(span) for span in spans} | {PARENT: "the page"}
    return {(names.get(span.parent_id, "?"), label(span)) for span in spans}


def label(span: SentSpan) -> str:
    detail = span.attributes.get("emocare.step") or span.attributes.get("emocare.source")
    return f"{span.name} {detail}" if detail else span.name


async def test_the_spans_of_a_run_reach_from_the_relay_to_the_settlement(
    hq: Hq, collector: Collector, tracing: dict[str, object], tmp_path: Path
) -> None:
    service = await hq.service(**tracing)
    with open_relay(hq, service.url, tmp_path) as url:
        answered = call_relay(hq, url)

    assert answered.json()["success"] is True, answered.text
    spans = await collector.await_spans(TRACE, "http", "claim", "settle", "model", "call")
    assert draw(spans) == {
        ("the page", "http"),
        ("http", "request"),
        ("request", "claim"),
        ("claim", "step collect"),
        ("step collect", "source platforms"),
        ("step collect", "source github"),
        ("step collect", "source open_matters"),
        ("source github", "call"),
        ("claim", "step ask"),
        ("step ask", "model"),
        ("model", "call"),
        ("claim", "settle"),
    }
    assert not any(span.failed for span in spans)
    run_id = answered.json()["run_id"]
    assert {span.attributes.get("emocare.run.id", run_id) for span in spans} == {run_id}
    stored = hq.one("select detailed_appendix ->> 'trace_id' as trace_id from hq.runs where id = %s", run_id)
    assert stored == {"trace_id": TRACE}
    for event in ("http.answered", "run.settled"):
        assert (await service.worker.logged(event, trace_id=TRACE))["trace_id"] == TRACE
    assert_nothing_private(hq, spans)


async def test_who_rescues_a_run_continues_its_trace(hq: Hq, collector: Collector, tracing: dict[str, object]) -> None:
    await hq.vendors.script("github", {"delay_ms": 300})
    await hq.vendors.script("openai", {"delay_ms": 60_000})
    first = await hq.service(**tracing, RUN_WAIT_SECONDS=1)
    answered = await first.post("executive-run", BODY, token=hq.stack.sign_in(), headers={"traceparent": TRACEPARENT})
    assert answered.status_code == 202
    early = await collector.await_spans(TRACE, "request", "step")
    first.worker.kill()
    await first.worker.exit_code()

    await hq.worker(tracing)

    spans = await collector.await_spans(TRACE, "claim", "settle")
    run = hq.run(answered.json()["run_id"])
    (request,) = [span for span in spans if span.name == "request"]
    (claim,) = [span for span in spans if span.name == "claim"]  # the first worker's was never ended
    (settle,) = [span for span in spans if span.name == "settle"]
    assert run["status"] == "completed"
    assert (claim.parent_id, settle.parent_id) == (request.span_id, claim.span_id)
    assert claim.attributes["emocare.run.attempt"] == 2
    workers = {span.resource["service.instance.id"] for span in spans}
    assert len(workers) == 2
    assert {span.resource["service.instance.id"] for span in early} != {claim.resource["service.instance.id"]}


async def test_a_run_that_nobody_traced_has_a_trace_that_is_named_after_it(
    hq: Hq, collector: Collector, tracing: dict[str, object]
) -> None:
    await hq.worker(tracing)
    run_id = hq.ask("PLATFORM_STATUS_REVIEW", platform_key="nearvity")

    spans = await collector.await_spans(name_trace(run_id), "claim", "settle")

    assert [span.parent_id for span in spans if span.name == "claim"] == [""]


async def test_a_collector_that_hangs_delays_no_run_and_no_stop(
    hq: Hq, collector: Collector, tracing: dict[str, object]
) -> None:
    collector.mood = "silent"
    worker = await hq.worker(tracing)
    run = await hq.settled(hq.ask())

    worker.signal(signal.SIGTERM)

    assert run["status"] == "completed"
    # Three seconds of them are the collector's.
    assert await worker.exit_code(within=10) == 0
    assert worker.events("traces.left_unsent")


async def test_a_worker_that_is_stopped_sends_what_it_holds_before_it_ends(
    hq: Hq, collector: Collector, tracing: dict[str, object]
) -> None:
    await hq.vendors.script("openai", {"delay_ms": 60_000})
    worker = await hq.worker(tracing, TRACES_SEND_SECONDS=600, SHUTDOWN_GRACE_SECONDS=0.5)
    run_id = hq.ask()
    await hq.vendors.wait_for("openai", calls=1)
    assert collector.spans() == []

    worker.signal(signal.SIGTERM)

    assert await worker.exit_code() == 0
    (claim,) = [span for span in collector.spans(name_trace(run_id)) if span.name == "claim"]
    assert (claim.attributes["emocare.run.end"], claim.failed) == ("handed_back", False)
    assert not worker.events("traces.left_unsent")


def assert_nothing_private(hq: Hq, spans: list[SentSpan]) -> None:
    text = json.dumps([span.attributes | span.resource for span in spans], ensure_ascii=False)
    text += "".join(span.raw for span in spans)
    for private in ("un secret", "@", "Bearer", "eyJ", hq.stack.service_role_key, "a-key-of-the-stand-in"):
        assert private not in text
