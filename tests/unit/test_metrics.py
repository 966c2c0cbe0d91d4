"""What is counted and shown to Prometheus: true, bounded, and cheap for the database."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from structlog.testing import capture_logs
from support.clock import FakeClock
from support.monitoring import SETS, Readable, Samples, read_samples, sample
from support.runs import BILL

from shared.errors import BackendUnavailable, Forbidden
from shared.findings import Gap, GapReason
from shared.language_models import CANDIDATES
from shared.registry import RUN_TYPES, SourceName
from workers.metrics.labels import OTHER
from workers.metrics.page import PATH, Monitoring
from workers.ports import AttemptEnd, BackendCallEnd, ModelCallEnd, SendOutcome, Usage

RUN_TYPE = "PLATFORM_STATUS_REVIEW"
MODEL = "configured/model"
HOSTILE = [f'unknown-{number}"\n{{}}' for number in range(200)]


class Page:
    """The page of one worker, scraped without a network."""

    def __init__(self) -> None:
        self.monitoring = Monitoring(SETS)
        self.readable = Readable()
        self.clock = FakeClock()
        app = self.monitoring.open_page(self.readable.readings(), self.clock)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://worker")

    async def get(self, path: str = PATH, **headers: str) -> httpx.Response:
        return await self._http.get(path, headers=headers)

    async def scrape(self) -> Samples:
        answer = await self.get()
        assert answer.status_code == 200
        return read_samples(answer.text)

    def observe(self, word: str) -> None:
        """Notify of everything that can happen, with this word wherever a word comes from elsewhere."""
        observer = self.monitoring.observer
        for end in AttemptEnd:
            observer.note_attempt(word, end, 1.5, (BILL.model_copy(update={"model": word}),))
        for model_end in ModelCallEnd:
            observer.note_model_call(word, model_end, 2.0)
        for call_end in BackendCallEnd:
            observer.note_backend_call(word, call_end, 0.02)
        for reason in GapReason:
            observer.note_gaps([Gap(source=word, label=word, reason=reason, sentence=word)])
        for outcome in SendOutcome:
            observer.note_delivery(word, outcome, to_device=True)
            observer.note_delivery(word, outcome, to_device=False)


@pytest.fixture
def page() -> Page:
    return Page()


async def test_whatever_is_said_no_new_series_comes_of_it(page: Page) -> None:
    page.observe(HOSTILE[0])
    page.readable.breakers = dict.fromkeys(HOSTILE[:1], "OPEN")
    before = await page.scrape()

    for word in HOSTILE:
        page.observe(word)
    page.readable.breakers = dict.fromkeys(HOSTILE, "OPEN")
    after = await page.scrape()

    assert sorted(name for name, labels in set(after) ^ set(before)) == []
    assert sample(after, "emocare_runs_ended_total", run_type=OTHER, end="failed") == 201
    assert not any("unknown" in value for _, labels in after for _, value in labels)


async def test_every_label_is_of_its_closed_set(page: Page) -> None:
    for word in [*RUN_TYPES, *SourceName, *(model for tier in CANDIDATES.values() for model in tier), MODEL]:
        page.observe(word)
    allowed = {
        "run_type": {*RUN_TYPES, OTHER},
        "end": {"completed", "failed", "cancelled", "retry", "lease_lost", "handed_back", "unsettled", *ModelCallEnd},
        "source": {*SourceName, OTHER},
        "reason": {*GapReason, *BackendCallEnd},
        "model": set(SETS.models.values),
        "kind": {"input", "cached_input", "output", "reasoning_output", *SETS.kinds.values},
        "function": set(SETS.functions.values),
        "target": {"channel", "device"},
        "outcome": set(SendOutcome),
        "state": {"closed", "open", "half_open", "waiting", "running"},
        "version": {"1.2.3"},
        "commit": {"abc1234"},
    }

    seen: dict[str, set[str]] = {}
    for name, labels in await page.scrape():
        for label, value in labels:
            if label != "le":
                seen.setdefault(label, set()).add(value)
        assert name.startswith(("emocare_", "process_"))

    assert {label: sorted(values - allowed.get(label, set())) for label, values in seen.items()} == {
        label: [] for label in allowed
    }


async def test_every_end_starts_at_zero_so_that_the_first_is_an_increase(page: Page) -> None:
    samples = await page.scrape()

    ends = {dict(labels)["end"]: value for (name, labels), value in samples.items() if "runs_ended_total" in name}
    assert ends == dict.fromkeys(
        ("completed", "failed", "cancelled", "retry", "lease_lost", "handed_back", "unsettled"), 0
    )


async def test_an_attempt_is_counted_with_its_seconds_its_tokens_and_its_euros(page: Page) -> None:
    bill = Usage(
        model=MODEL,
        calls=1,
        tokens_in=700,
        tokens_out=300,
        tokens_cached=100,
        tokens_reasoning=50,
        cost_eur=Decimal("0.0125"),
    )
    page.monitoring.observer.note_attempt(RUN_TYPE, AttemptEnd.COMPLETED, 31.0, (bill,))
    page.monitoring.observer.note_attempt(RUN_TYPE, AttemptEnd.RETRY, 2.0, (bill,))

    samples = await page.scrape()

    assert sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end="completed") == 1
    assert sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end="retry") == 1
    assert sample(samples, "emocare_run_seconds_sum", run_type=RUN_TYPE) == 33
    assert sample(samples, "emocare_run_seconds_bucket", run_type=RUN_TYPE, le="30.0") == 1
    tokens = {
        kind: sample(samples, "emocare_model_tokens_total", model=MODEL, kind=kind)
        for kind in ("input", "cached_input", "output", "reasoning_output")
    }
    assert tokens == {"input": 1400, "cached_input": 200, "output": 600, "reasoning_output": 100}
    assert sample(samples, "emocare_cost_eur_total", model=MODEL) == pytest.approx(0.025)


async def test_a_lost_lease_is_one_thing_however_it_was_noticed(page: Page) -> None:
    for end in (AttemptEnd.LEASE_LOST, AttemptEnd.LOST, AttemptEnd.HANDED_BACK, AttemptEnd.CANCELLED):
        page.monitoring.observer.note_attempt(RUN_TYPE, end, 1.0, ())

    samples = await page.scrape()

    assert sample(samples, "emocare_leases_lost_total") == 2
    assert sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end="lease_lost") == 2
    assert ("emocare_run_seconds_count", frozenset({("run_type", RUN_TYPE)})) not in samples  # nothing was settled


async def test_a_call_that_was_answered_is_no_failure(page: Page) -> None:
    page.monitoring.observer.note_backend_call("claim_hq_runs", BackendCallEnd.ANSWERED, 0.02)
    page.monitoring.observer.note_backend_call("claim_hq_runs", BackendCallEnd.REFUSED, 0.02)

    samples = await page.scrape()

    assert sample(samples, "emocare_rpc_seconds_count", function="claim_hq_runs") == 2
    failures = {
        reason: sample(samples, "emocare_rpc_failures_total", function="claim_hq_runs", reason=reason)
        for reason in ("refused", "unavailable", "abandoned")
    }
    assert failures == {"refused": 1, "unavailable": 0, "abandoned": 0}


async def test_what_has_not_happened_yet_stands_at_zero(page: Page) -> None:
    """Otherwise its first time would be no increase that an alert can see."""
    samples = await page.scrape()

    assert sample(samples, "emocare_runs_ended_total", run_type=RUN_TYPE, end="failed") == 0
    assert sample(samples, "emocare_leases_lost_total") == 0
    assert sample(samples, "emocare_source_gaps_total", source="github", reason="rejected") == 0
    assert sample(samples, "emocare_model_calls_total", model=MODEL, end="unavailable") == 0
    assert (
        sample(samples, "emocare_deliveries_total", kind="run_failed", target="channel", outcome=SendOutcome.RETRY) == 0
    )


async def test_the_state_is_that_of_the_moment(page: Page) -> None:
    samples = await page.scrape()

    assert sample(samples, "emocare_build_info", version="1.2.3", commit="abc1234") == 1
    assert sample(samples, "emocare_queue_runs", state="waiting") == 3
    assert sample(samples, "emocare_queue_runs", state="running") == 2
    assert sample(samples, "emocare_queue_oldest_due_seconds") == 7.5
    assert sample(samples, "emocare_delivery_oldest_waiting_seconds", target="channel") == 90.5
    assert sample(samples, "emocare_delivery_failures_in_a_row", target="channel") == 4
    assert sample(samples, "emocare_delivery_failures_in_a_row", target="device") == 0
    assert sample(samples, "emocare_month_cost_eur") == 12.5
    assert sample(samples, "emocare_month_budget_eur") == 50
    assert sample(samples, "emocare_month_budget_warned") == 0
    assert sample(samples, "emocare_worker_runs") == 2
    assert sample(samples, "emocare_worker_concurrency") == 8
    assert sample(samples, "emocare_realtime_live") == 1
    assert sample(samples, "emocare_realtime_rebuilds_total") == 4
    states = {
        state: sample(samples, "emocare_model_breaker_state", model=MODEL, state=state)
        for state in ("closed", "open", "half_open")
    }
    assert states == {"closed": 0, "open": 1, "half_open": 0}
    assert sample(samples, "process_resident_memory_bytes") > 0

    page.readable.is_live = False
    page.readable.breakers = {MODEL: "HALF_OPEN"}
    samples = await page.scrape()

    assert sample(samples, "emocare_realtime_live") == 0
    assert sample(samples, "emocare_model_breaker_state", model=MODEL, state="half_open") == 1


async def test_the_database_is_asked_no_more_often_for_many_scrapes(page: Page) -> None:
    for _ in range(50):
        await page.scrape()
    assert page.readable.asked == {"queue": 1, "deliveries": 1, "budget": 1}

    page.clock.advance(timedelta(seconds=11))
    await page.scrape()
    assert page.readable.asked == {"queue": 2, "deliveries": 1, "budget": 1}

    page.clock.advance(timedelta(minutes=1))
    await page.scrape()
    assert page.readable.asked == {"queue": 3, "deliveries": 2, "budget": 1}

    page.clock.advance(timedelta(minutes=5))
    await page.scrape()
    assert page.readable.asked == {"queue": 4, "deliveries": 3, "budget": 2}


async def test_a_database_that_is_away_is_seen_and_not_asked_at_every_scrape(page: Page) -> None:
    page.readable.fault = BackendUnavailable("away")

    for _ in range(50):
        samples = await page.scrape()

    assert sample(samples, "emocare_database_up") == 0
    assert sample(samples, "emocare_worker_concurrency") == 8
    assert not [name for name, _ in samples if name.startswith(("emocare_queue", "emocare_delivery", "emocare_month"))]
    assert page.readable.asked == {"queue": 1, "deliveries": 1, "budget": 1}

    page.readable.fault = None
    page.clock.advance(timedelta(seconds=11))
    assert sample(await page.scrape(), "emocare_database_up") == 1


@pytest.mark.parametrize("fault", [Forbidden("no"), ValueError("odd")])
async def test_a_reading_that_fails_oddly_leaves_the_rest_of_the_page(page: Page, fault: Exception) -> None:
    page.readable.fault = fault

    with capture_logs() as logs:
        for _ in range(5):
            samples = await page.scrape()

    assert sample(samples, "emocare_database_up") == 0
    assert sample(samples, "emocare_worker_concurrency") == 8
    # One for each: not one per scrape.
    assert sorted(line["part"] for line in logs) == ["budget", "deliveries", "queue"]


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/metrics/", 404), ("/functions/v1/healthz", 404)])
async def test_nothing_else_is_served_there(page: Page, path: str, status: int) -> None:
    assert (await page.get(path)).status_code == status


async def test_the_page_comes_in_the_format_that_is_asked_for(page: Page) -> None:
    openmetrics = await page.get(accept="application/openmetrics-text;version=1.0.0")
    plain = await page.get()

    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "_created" not in plain.text


async def test_a_format_that_nobody_can_read_is_answered_in_plain_text(page: Page) -> None:
    answer = await page.get(accept="application/openmetrics-text;version=abc")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert sample(read_samples(answer.text), "emocare_worker_concurrency") == 8
