"""Traces: off they are nothing; on, they say little, nobody can write into them, and no collector holds up a worker."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
import structlog
from pydantic import ValidationError
from structlog.testing import capture_logs
from support.otlp import Collector, name_trace, open_collector

from shared.errors import ConfigurationError, GatewayUnavailable
from workers import traces
from workers.bootstrap.tracing import open_traces
from workers.settings import TracesSettings

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
RUN = UUID("9b2f6c1e-3d4a-4f5b-8c6d-7e8f90a1b2c3")
HOSTILE = [
    "",
    "00",
    TRACEPARENT.upper(),
    f" {TRACEPARENT}",
    f"{TRACEPARENT}\n",
    f"{TRACEPARENT}-more",
    f"{TRACEPARENT}, {TRACEPARENT}",
    f"01-{TRACE}-{PARENT}-01",
    f"ff-{TRACE}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[:-1]}g-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-1",
    f"00-{TRACE[:-1]}-{PARENT}-01",
    f"00-{TRACE}-{PARENT}-\uff101",
    "0" * 1_000_000,
    "'; drop table hq.runs; --",
]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


def settings(url: str, **more: object) -> TracesSettings:
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "TRACES_SEND_SECONDS": "0.05"} | more
    return TracesSettings.model_validate(given)


@pytest.fixture
async def traced(collector: Collector) -> AsyncIterator[Collector]:
    async with open_traces(settings(collector.url), "worker-1"):
        yield collector


def test_off_nothing_is_imported_and_a_span_is_one_and_the_same() -> None:
    code = (
        "import sys, workers.cli, workers.bootstrap; from workers import traces;"
        "assert traces.span('http') is traces.NO_SPAN is traces.span('step', step='ask');"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google.protobuf'))])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert printed.stdout == "[]\n"


async def test_off_nothing_is_opened_and_nothing_said() -> None:
    async with open_traces(TracesSettings.model_validate({}), "worker-1"):
        with traces.span("claim", parent=TRACEPARENT, run_id="x") as span:
            span.note(end="completed")
            assert (traces.is_on(), span.trace_id) == (False, "")
            assert (traces.current_traceparent(), traces.describe_trace()) == (None, {})


async def test_spans_are_nested_and_sent_with_their_attributes(traced: Collector) -> None:
    with traces.span("http", parent=TRACEPARENT, method="POST", function="executive-run") as outer:
        with traces.span("request") as inner:
            inner.note(run_id=str(RUN))
            assert traces.describe_trace() == {"trace_id": TRACE}
        outer.note(status=200)

    http, request = await traced.await_spans(TRACE, "http", "request")
    assert (http.parent_id, request.parent_id) == (PARENT, http.span_id)
    assert http.attributes == {
        "http.request.method": "POST", "http.route": "executive-run", "http.response.status_code": 200,
    }  # fmt: skip
    assert request.attributes == {"emocare.run.id": str(RUN)}
    assert http.resource["service.name"] == "emocare-hq-workers"
    assert http.resource["service.instance.id"] == "worker-1"


async def test_without_a_parent_two_workers_find_the_trace_that_is_named_after_the_run(traced: Collector) -> None:
    for attempt in (1, 2):
        with traces.span("http"), traces.span("claim", parent=None, run=RUN, attempt=attempt) as claim:
            assert claim.trace_id == name_trace(RUN)
            with traces.span("step", step="ask"):
                pass

    spans = await traced.await_spans(name_trace(RUN), "claim", "step", count=4)
    assert [(span.name, bool(span.parent_id)) for span in spans] == [("claim", False), ("step", True)] * 2


@pytest.mark.parametrize("ratio", [0.1, 0.75])
async def test_a_sampler_takes_its_share_of_the_runs_that_nobody_traced(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, ratio: float
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", str(ratio))
    runs = [UUID(int=random.Random(number).getrandbits(128), version=4) for number in range(1_000)]

    async with open_traces(settings(collector.url), "worker-1"):
        for run in runs:
            with traces.span("claim", run=run):
                pass

    assert abs(len(collector.spans()) / len(runs) - ratio) < 0.05


async def test_a_span_continues_where_the_request_was_stored(traced: Collector) -> None:
    with traces.span("http", parent=TRACEPARENT), traces.span("request"):
        stored = traces.current_traceparent()
    with traces.span("claim", parent=stored, run=RUN):
        pass

    spans = {span.name: span for span in await traced.await_spans(TRACE, "request", "claim")}
    assert spans["claim"].parent_id == spans["request"].span_id


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_is_no_traceparent_is_ignored(traced: Collector, hostile: str) -> None:
    with traces.span("http", parent=hostile) as span:
        pass

    (sent,) = await traced.await_spans(span.trace_id, "http")
    assert sent.trace_id not in {TRACE, "0" * 32}
    assert sent.parent_id == ""


async def test_a_caller_may_say_that_its_trace_is_not_recorded(traced: Collector) -> None:
    with traces.span("http", parent=f"00-{TRACE}-{PARENT}-00"), traces.span("request"):
        assert traces.current_traceparent() is not None
    with traces.span("http") as recorded:
        pass

    await traced.await_spans(recorded.trace_id, "http")
    assert traced.spans(TRACE) == []


@pytest.mark.parametrize("sampler", ["always_off", "parentbased_always_off"])
async def test_no_caller_has_its_trace_recorded_against_the_sampler(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)

    async with open_traces(settings(collector.url), "worker-1"):
        with traces.span("http", parent=TRACEPARENT), traces.span("request"):
            stored = traces.current_traceparent()
        with traces.span("claim", parent=stored):
            pass

    assert stored is not None
    assert (stored[3:35], stored[-2:]) == (TRACE, "00")
    assert collector.spans() == []


async def test_a_call_of_its_own_has_no_span(traced: Collector) -> None:
    with traces.span("call", method="GET", host="site.test") as alone:
        alone.note(status=503)
    with traces.span("http", parent=TRACEPARENT), traces.span("call", method="GET", host="site.test"):
        pass

    await traced.await_spans(TRACE, "http", "call")
    assert [span.name for span in traced.spans()] == ["http", "call"]


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_TRACES_SAMPLER", "always_of"), ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc")]
)
async def test_a_setting_that_cannot_be_used_is_refused_by_its_name(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=variable):
        await AsyncExitStack().enter_async_context(open_traces(settings(collector.url), "worker-1"))


@pytest.mark.parametrize("sampler", ["traceidratio", "ParentBased_TraceIdRatio"])
@pytest.mark.parametrize("share", ["0,1", "10%", "10", "-0.1", "nan", "tenth", " "])
async def test_a_share_that_would_record_everything_is_refused(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, sampler: str, share: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)

    with pytest.raises(ConfigurationError, match="OTEL_TRACES_SAMPLER_ARG: must be a number from 0 to 1"):
        await AsyncExitStack().enter_async_context(open_traces(settings(collector.url), "worker-1"))


@pytest.mark.parametrize(("share", "recorded"), [("0", []), ("1", ["http"]), (" 1.0 ", ["http"])])
async def test_a_share_from_none_to_all_is_taken(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, share: str, recorded: list[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)

    async with open_traces(settings(collector.url), "worker-1"):
        with traces.span("http"):
            pass

    assert [span.name for span in collector.spans()] == recorded


@pytest.mark.parametrize(("sampler", "share"), [("traceidratio", ""), ("always_on", "tenth")])
async def test_a_share_that_nobody_asks_for_is_not_examined(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, sampler: str, share: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)

    async with open_traces(settings(collector.url), "worker-1"):
        with traces.span("http"):
            pass

    assert [span.name for span in collector.spans()] == ["http"]


def test_the_path_that_is_added_to_an_endpoint_is_refused_in_it() -> None:
    with pytest.raises(ValidationError, match="leave out /v1/traces"):
        settings("http://collector.test/v1/traces/")


async def test_a_disabled_sdk_is_no_collector(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    async with open_traces(settings(collector.url), "worker-1"):
        with traces.span("http", parent=TRACEPARENT):
            assert (traces.is_on(), traces.describe_trace()) == (False, {})


async def test_an_error_leaves_its_code_and_never_its_text(traced: Collector) -> None:
    secret = "sk-secret jane@example.test SELECT"
    for error in (GatewayUnavailable(secret), ValueError(secret), KeyboardInterrupt(secret)):
        with pytest.raises(type(error)), traces.span("model", parent=TRACEPARENT, model="m"):
            raise error

    spans = await traced.await_spans(TRACE, "model", count=3)
    assert [span.attributes["error.type"] for span in spans] == [
        "gateway_unavailable", "ValueError", "KeyboardInterrupt",
    ]  # fmt: skip
    assert all(span.failed for span in spans)
    assert not any("secret" in span.raw or "jane" in span.raw for span in spans)


async def test_being_cancelled_is_no_failure(traced: Collector) -> None:
    with pytest.raises(asyncio.CancelledError), traces.span("step", parent=TRACEPARENT, step="ask"):
        raise asyncio.CancelledError

    (sent,) = await traced.await_spans(TRACE, "step")
    assert (sent.failed, "error.type" in sent.attributes) == (False, False)


@pytest.mark.parametrize(
    ("name", "status", "fails"),
    [
        ("call", 200, False), ("call", 304, False), ("call", 402, True), ("call", 429, True), ("call", 503, True),
        ("http", 403, False), ("http", 503, True),
    ],
)  # fmt: skip
async def test_a_status_that_is_an_error_is_one_of_the_span(
    traced: Collector, name: traces.SpanName, status: int, *, fails: bool
) -> None:
    with traces.span(name, parent=TRACEPARENT) as span:
        span.note(status=status)

    (sent,) = await traced.await_spans(TRACE, name)
    assert (sent.failed, sent.attributes.get("error.type")) == (fails, str(status) if fails else None)


async def test_the_first_fault_of_a_span_stays(traced: Collector) -> None:
    with contextlib.suppress(ValueError), traces.span("claim", parent=TRACEPARENT) as span:
        span.fail("lost")
        raise ValueError

    (sent,) = await traced.await_spans(TRACE, "claim")
    assert (sent.failed, sent.attributes["error.type"]) == (True, "lost")


async def test_values_are_bounded_and_made_one_line(traced: Collector) -> None:
    with traces.span("call", parent=TRACEPARENT, host="h\x1b[2J\n" * 10_000, status=10**30):
        pass

    (sent,) = await traced.await_spans(TRACE, "call")
    assert len(sent.attributes["server.address"]) <= 120
    assert "\x1b" not in sent.attributes["server.address"]
    assert sent.attributes["http.response.status_code"] == 2**53


async def test_the_collector_gets_its_headers_and_they_are_kept_secret(collector: Collector) -> None:
    given = settings(collector.url, OTEL_EXPORTER_OTLP_HEADERS="x-team=hq, Authorization=Basic%20YTpi")
    async with open_traces(given, "worker-1"):
        with traces.span("http", parent=TRACEPARENT):
            pass

    assert (collector.headers[0]["authorization"], collector.headers[0]["x-team"]) == ("Basic YTpi", "hq")
    assert "YTpi" not in repr(given)


async def test_what_is_left_is_sent_at_the_end(collector: Collector) -> None:
    async with open_traces(settings(collector.url, TRACES_SEND_SECONDS="60"), "worker-1"):
        with traces.span("http", parent=TRACEPARENT):
            pass

    assert [span.name for span in collector.spans()] == ["http"]
    assert not traces.is_on()


@pytest.mark.parametrize("fault", ["silent", "refusing", "nobody"])
async def test_a_collector_that_fails_holds_nobody_up_and_is_logged_once(collector: Collector, fault: Any) -> None:
    url = "http://127.0.0.1:9" if fault == "nobody" else collector.url
    collector.mood = fault
    with capture_logs() as logged:
        async with asyncio.timeout(30), open_traces(settings(url), "worker-1"):
            for _ in range(5_000):
                with traces.span("step", step="ask"):
                    pass
            await asyncio.sleep(0.3)

    events = [line["event"] for line in logged]
    assert set(events) <= {"traces.not_sent", "traces.left_unsent"}
    assert events.count("traces.not_sent") == 1 or (fault == "silent" and events)


async def test_what_waits_for_a_collector_is_bounded(collector: Collector) -> None:
    """At most what the queue holds, and the pieces that are on their way meanwhile, come once it is back."""
    collector.mood = "refusing"
    async with open_traces(settings(collector.url), "worker-1"):
        for _ in range(10_000):
            with traces.span("step", step="ask"):
                pass
        collector.mood = "well"

    assert 0 < len(collector.spans()) <= 2 * 2_048


async def test_a_collector_that_comes_back_is_sent_to_again_and_both_are_logged_once(collector: Collector) -> None:
    collector.mood = "refusing"
    with capture_logs() as logged:
        async with open_traces(settings(collector.url), "worker-1"):
            with traces.span("http"):
                pass
            while not logged:  # noqa: ASYNC110 - a thread of the exporter writes it
                await asyncio.sleep(0.02)
            collector.mood = "well"
            with traces.span("http", parent=TRACEPARENT):
                pass
            await collector.await_spans(TRACE, "http")

    assert [line["event"] for line in logged] == ["traces.not_sent", "traces.sent_again"]
    assert logged[0]["answer"] == "500"


async def test_a_collector_that_is_not_there_is_said_to_be_so() -> None:
    with capture_logs() as logged:
        async with open_traces(settings("http://127.0.0.1:9"), "worker-1"):
            with traces.span("http"):
                pass
            while not logged:  # noqa: ASYNC110 - a thread of the exporter writes it, when it has tried for 5 s
                await asyncio.sleep(0.02)

    assert [line["answer"] for line in logged if line["event"] == "traces.not_sent"] == ["ConnectionError"]


def test_a_log_inside_a_trace_can_be_found_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    async def write(url: str) -> None:
        async with open_traces(settings(url), "worker-1"):
            with traces.span("http", parent=TRACEPARENT):
                with structlog.contextvars.bound_contextvars(**traces.describe_trace()):
                    context = structlog.contextvars.get_contextvars()
                print(json.dumps(context))  # noqa: T201 - what a log line would hold

    with open_collector() as collector:
        asyncio.run(write(collector.url))

    assert json.loads(capsys.readouterr().out) == {"trace_id": TRACE}
