"""Whoever counts is notified of everything that is counted, once, with how it ended."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import HttpUrl, SecretStr, TypeAdapter
from support.clock import FakeClock
from support.monitoring import Notes
from support.otlp import Collector, open_collector
from support.runs import ANSWER, BILL, FakeAnnouncer, FakeGateway, FakeStore, make_claim

from devstack.vendors import VendorsClient
from shared.errors import BackendUnavailable, GatewayError, LeaseLost
from shared.registry import ModelTier
from shared.runs import Claim, LeaseState, Outcome, RunStatus, Settlement
from workers.ai_scheduler.launch import Autopilot
from workers.backend.client import open_client
from workers.backend.rpc import call
from workers.bootstrap.tracing import open_traces
from workers.clock import SystemClock
from workers.gateway.chat import ChatGateway
from workers.ports import (
    AttemptEnd,
    BackendCallEnd,
    Bills,
    Candidate,
    Decision,
    DecisionContext,
    DecisionStatus,
    Look,
    Message,
    Meter,
    ModelCallEnd,
    RecordedDecision,
    Signal,
    WakeupState,
)
from workers.runtime.worker import Worker
from workers.settings import AutopilotSettings, GatewaySettings, SupabaseSettings, TracesSettings, WorkerSettings

REPORT = Settlement(outcome=Outcome.COMPLETED, summary="## Rapport", appendix={})
SETTINGS = WorkerSettings.model_validate(
    {"LEASE_SECONDS": 0.4, "LEASE_RENEW_SECONDS": 0.1, "CANCEL_POLL_SECONDS": 0.03, "SHUTDOWN_GRACE_SECONDS": 0.1}
)
SUPABASE = SupabaseSettings(url=HttpUrl("http://supabase.test"), service_key=SecretStr("key"))
MODEL = "google/gemini-2.5-pro"


class SilentWakeups:
    state = WakeupState.LIVE
    fault = None

    async def watch(self, *, look: Look, check_leases: Callable[[], None]) -> None:
        del look, check_leases
        await asyncio.Event().wait()


async def fail(error: Exception) -> None:
    raise error


@pytest.fixture
def collector() -> Iterator[Collector]:
    with open_collector() as opened:
        yield opened


def traced_by(collector: Collector) -> TracesSettings:
    return TracesSettings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRACES_SEND_SECONDS": 0.05})


async def note_end_of(claim: Claim, store: FakeStore, *, hangs: bool = False) -> Notes:
    """Have one attempt end, by itself or by what the store says; return what was noted."""
    notes = Notes()

    async def execute(claim: Claim, meter: Meter) -> Settlement:
        del claim
        meter.add(BILL)
        if hangs:
            await asyncio.Event().wait()
        return REPORT

    store.claims = [[claim]]
    worker = Worker(
        store=store,
        execute=execute,
        wakeups=SilentWakeups(),
        announcer=FakeAnnouncer(),
        clock=SystemClock(),
        settings=SETTINGS,
        worker_id="worker",
        observer=notes,
    )
    stop = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(worker.run(stop))
        await asyncio.sleep(0.05)
        if hangs and not store.states:
            assert worker.executing == 1
            stop.set()
        while not notes.attempts:  # noqa: ASYNC110 - what happens sets no event
            await asyncio.sleep(0.005)
        stop.set()
    assert worker.executing == 0
    return notes


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (RunStatus.COMPLETED, AttemptEnd.COMPLETED),
        (RunStatus.FAILED, AttemptEnd.FAILED),
        (RunStatus.PENDING, AttemptEnd.RETRY),
        (RunStatus.CANCELLED, AttemptEnd.CANCELLED),
        (RunStatus.RUNNING, AttemptEnd.UNSETTLED),
    ],
)
async def test_an_attempt_that_is_settled_is_noted_with_its_bill(status: RunStatus, end: AttemptEnd) -> None:
    claim, store = make_claim(), FakeStore()
    store.statuses[claim.run_id] = status

    notes = await note_end_of(claim, store)

    assert notes.attempts == [(claim.run_type, end, (BILL,))]


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (LeaseLost("gone"), AttemptEnd.LEASE_LOST),
        (BackendUnavailable("away"), AttemptEnd.UNSETTLED),
        (RuntimeError("a fault"), AttemptEnd.UNSETTLED),
    ],
)
async def test_an_attempt_that_cannot_be_settled_is_noted(error: Exception, end: AttemptEnd) -> None:
    claim, store = make_claim(), FakeStore()
    store.faults["settle"] = lambda: fail(error)

    assert (await note_end_of(claim, store)).attempts == [(claim.run_type, end, (BILL,))]


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (LeaseState.LOST, AttemptEnd.LOST),
        (LeaseState.CANCELLED, AttemptEnd.CANCELLED),
        (None, AttemptEnd.HANDED_BACK),
    ],
)
async def test_an_attempt_that_is_stopped_is_noted(state: LeaseState | None, end: AttemptEnd) -> None:
    claim, store = make_claim(), FakeStore()
    if state is not None:
        store.states = {claim.run_id: state}

    assert (await note_end_of(claim, store, hangs=True)).attempts == [(claim.run_type, end, (BILL,))]


@pytest.mark.parametrize(
    ("state", "fault", "end", "failed"),
    [
        (None, None, AttemptEnd.COMPLETED, False),
        (None, LeaseLost("gone"), AttemptEnd.LEASE_LOST, True),
        (None, BackendUnavailable("away"), AttemptEnd.UNSETTLED, True),
        (LeaseState.LOST, None, AttemptEnd.LOST, True),
        (LeaseState.CANCELLED, None, AttemptEnd.CANCELLED, False),
        ("stop", None, AttemptEnd.HANDED_BACK, False),
    ],
)
async def test_the_span_of_an_attempt_says_how_it_ended_and_what_it_consumed(
    collector: Collector, state: LeaseState | str | None, fault: Exception | None, end: AttemptEnd, *, failed: bool
) -> None:
    claim, store = make_claim(), FakeStore()
    if fault is not None:
        store.faults["settle"] = lambda: fail(fault)
    if isinstance(state, LeaseState):
        store.states = {claim.run_id: state}

    async with open_traces(traced_by(collector), "worker-1"):
        await note_end_of(claim, store, hangs=state is not None)

    (span,) = [span for span in collector.spans() if span.name == "claim"]
    assert (span.attributes["emocare.run.end"], span.failed) == (end.value, failed)
    assert span.attributes.get("error.type") == (end.value if failed else None)
    assert span.attributes["gen_ai.usage.input_tokens"] == BILL.tokens_in


async def test_the_span_of_a_model_says_why_its_call_failed(
    collector: Collector, vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
) -> None:
    await vendors.script("openai", {"status": 402})
    settings = GatewaySettings.model_validate(
        {"base_url": f"{vendors.base_url}/openai/v1", "api_key": "k", "models_reasoning": MODEL}
    )

    async with open_traces(traced_by(collector), "worker-1"):
        gateway = ChatGateway(http, settings, clock=clock)
        with pytest.raises(GatewayError) as failure:
            await gateway.ask(ModelTier.REASONING, (Message(role="user", content="?"),), meter=Meter())

    (span,) = [span for span in collector.spans() if span.name == "model"]
    assert (span.failed, span.attributes["error.type"]) == (True, failure.value.code)


async def _answer(status: int, body: object) -> httpx.Response:
    return httpx.Response(status, json=body)


async def _break() -> httpx.Response:
    raise httpx.ConnectError("refused")


async def _hang() -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (lambda: _answer(200, [1]), BackendCallEnd.ANSWERED),
        (
            lambda: _answer(400, {"code": "HQ004", "message": "trop", "details": None, "hint": None}),
            BackendCallEnd.REFUSED,
        ),
        (lambda: _answer(503, "<html>"), BackendCallEnd.UNAVAILABLE),
        (_break, BackendCallEnd.UNAVAILABLE),
        (_hang, BackendCallEnd.ABANDONED),
    ],
    ids=["answered", "refused", "not PostgREST's", "no connection", "nobody waits"],
)
async def test_a_call_of_the_database_is_noted(
    answer: Callable[[], Coroutine[None, None, httpx.Response]], end: BackendCallEnd
) -> None:
    notes = Notes()
    network = httpx.MockTransport(lambda _: answer())
    async with open_client(SUPABASE, network=network, observer=notes) as client:
        calling = asyncio.create_task(call(client, "claim_hq_runs", {}, TypeAdapter(list[int])))
        _, waiting = await asyncio.wait({calling}, timeout=0.5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(calling, return_exceptions=True)

    assert notes.backend_calls == [("claim_hq_runs", end)]


async def test_only_functions_are_noted() -> None:
    notes = Notes()
    network = httpx.MockTransport(lambda _: httpx.Response(200, json=[]))
    async with open_client(SUPABASE, network=network, observer=notes) as client:
        await client.from_("runs").select("*").execute()

    assert notes.backend_calls == []


@pytest.mark.parametrize(
    ("step", "end"),
    [
        ({}, ModelCallEnd.ANSWERED),
        ({"status": 429}, ModelCallEnd.RATE_LIMITED),
        ({"status": 402}, ModelCallEnd.REFUSED),
        ({"status": 401}, ModelCallEnd.REFUSED),
        ({"status": 503}, ModelCallEnd.UNAVAILABLE),
        ({"content": ""}, ModelCallEnd.UNUSABLE),
    ],
)
async def test_a_call_of_a_model_is_noted(
    vendors: VendorsClient, http: httpx.AsyncClient, step: dict[str, Any], end: ModelCallEnd
) -> None:
    notes = Notes()
    await vendors.script("openai", step)
    settings = {
        "base_url": f"{vendors.base_url}/openai/v1",
        "api_key": SecretStr("key"),
        "max_calls": 1,
        "models_reasoning": MODEL,
    }
    gateway = ChatGateway(http, GatewaySettings.model_validate(settings), clock=FakeClock(), observer=notes)

    with suppress(GatewayError):
        await gateway.ask(ModelTier.REASONING, [Message(role="user", content="?")], meter=Meter())

    assert notes.model_calls == [(MODEL, end)]


async def test_a_question_that_nobody_waits_for_is_noted(vendors: VendorsClient, http: httpx.AsyncClient) -> None:
    notes = Notes()
    await vendors.script("openai", {"delay_ms": 5000})
    settings = {
        "base_url": f"{vendors.base_url}/openai/v1",
        "api_key": SecretStr("key"),
        "call_timeout": timedelta(seconds=10),
        "models_reasoning": MODEL,
    }
    gateway = ChatGateway(http, GatewaySettings.model_validate(settings), clock=SystemClock(), observer=notes)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await gateway.ask(ModelTier.REASONING, [Message(role="user", content="?")], meter=Meter())

    assert notes.model_calls == [(MODEL, ModelCallEnd.ABANDONED)]


class OneDecision:
    """Has a decision to take, and keeps what was billed for it."""

    def __init__(self) -> None:
        self.bills: Bills = ()

    async def begin(self, asked_by: str, **_: object) -> DecisionContext:
        candidates = (Candidate(run_type="CODE_REVIEW", label="Code"),)
        signals = (Signal(kind="failure", subject=asked_by),)
        return DecisionContext(
            decision_id=1,
            status=DecisionStatus.DECIDE,
            may_ask=True,
            candidates=candidates,
            signals=signals,
            done=(),
        )

    async def record(self, decision_id: int, decision: Decision, bills: Bills) -> RecordedDecision:
        del decision_id, decision
        self.bills = bills
        return RecordedDecision(
            recorded=True, jobs_to_run=(), run_ids=(), skipped=(), reasoning=None, next_check_in_minutes=None
        )


async def test_what_a_decision_of_the_autopilot_billed_is_noted() -> None:
    notes, decisions = Notes(), OneDecision()
    choice = '{"jobs_to_run": [], "reasoning": "Rien.", "next_check_in_minutes": 30}'
    autopilot = Autopilot(
        decisions=decisions,
        gateway=FakeGateway(ANSWER.model_copy(update={"text": choice})),
        clock=SystemClock(),
        settings=AutopilotSettings(),
        observer=notes,
    )

    await autopilot.tick()

    assert notes.bills == [decisions.bills]
    assert decisions.bills
