"""One claimed run, with fakes around it: how an attempt ends, and what it says when it ends badly."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import structlog
from support.clock import FakeClock
from support.runs import ANSWER, BILL, COLLECTED, FINDING, FakeCollect, FakeGateway, FakeStore, fail_with, make_claim

from shared import errors
from shared.findings import Collected, Gap, GapReason
from shared.registry import find_run_type
from shared.runs import Outcome, Settlement
from workers.executive_run.execute import ExecutiveRun
from workers.executive_run.steps import Step
from workers.ports import Collect, Gateway, Meter, Subject
from workers.settings import WorkerSettings

SETTINGS = WorkerSettings(RETRY_BASE_SECONDS=10, RETRY_CAP_SECONDS=600)
GAP = Gap(source="stripe", label="Stripe · revenus", reason=GapReason.NOT_CONFIGURED, sentence="La clé manque.")


def make_run(
    store: FakeStore,
    clock: FakeClock,
    *,
    collect: Collect | None = None,
    gateway: Gateway | None = None,
    settings: WorkerSettings = SETTINGS,
) -> ExecutiveRun:
    return ExecutiveRun(
        store=store, collect=collect or FakeCollect(), gateway=gateway or FakeGateway(), clock=clock, settings=settings
    )


@pytest.fixture
def make(clock: FakeClock) -> partial[ExecutiveRun]:
    """Make an executor; a test names the parts that it cares about."""
    return partial(make_run, FakeStore(), clock)


async def execute(run: ExecutiveRun, **claim: Any) -> Settlement:
    return await run(make_claim(**claim), Meter())


async def test_a_run_ends_with_the_models_report_its_evidence_and_its_sources(make: partial[ExecutiveRun]) -> None:
    settlement = await execute(make(collect=FakeCollect(Collected(findings=(FINDING,), gaps=(GAP,)))))

    assert settlement.outcome is Outcome.COMPLETED
    assert f"\n\n{ANSWER.text}\n\n## Sources\n\n- [S1] GitHub · NEARVITY, lu le " in settlement.summary
    assert "## Données manquantes\n\n- Stripe · revenus : La clé manque.\n" in settlement.summary
    assert settlement.summary.endswith("« Statut général », « Incidents ».")  # which GitHub says nothing of
    assert settlement.appendix["data_sources"] == ["GitHub API", "Lovable AI Gateway"]
    assert settlement.appendix["missing_data"] == ["Stripe · revenus : La clé manque."]
    assert settlement.appendix["model_used"] == ANSWER.model
    assert settlement.appendix["breaker_state"] == "HALF_OPEN"
    assert settlement.appendix["tokens_in"] == BILL.tokens_in
    assert [evidence.evidence_type for evidence in settlement.evidence] == ["github", "gap", "verification"]
    assert settlement.evidence[1].data["reason"] == "not_configured"


async def test_the_appendix_is_flat_because_the_screens_print_each_value(make: partial[ExecutiveRun]) -> None:
    settlement = await execute(make())

    for value in settlement.appendix.values():
        entries = value if isinstance(value, list) else [value]
        assert all(isinstance(entry, str | int | float | bool) for entry in entries)


async def test_the_registrys_step_names_are_labels_and_never_ticked_work(make: partial[ExecutiveRun]) -> None:
    settlement = await execute(make())

    real = {step.value[0] for step in Step}
    assert {step.name for step in settlement.steps} <= real
    assert settlement.appendix["steps"] == list(find_run_type("PLATFORM_STATUS_REVIEW").steps)


@pytest.mark.parametrize(
    "error",
    [
        errors.GatewayUnavailable(),
        errors.GatewayRateLimited(),
        errors.GatewayAnswerUnusable(),
        errors.CircuitOpen(),
        errors.BackendUnavailable(),
    ],
)
async def test_what_may_pass_is_tried_again_and_says_so(make: partial[ExecutiveRun], error: Exception) -> None:
    settlement = await execute(make(gateway=FakeGateway(error)))

    assert settlement.outcome is Outcome.RETRY
    assert settlement.summary.endswith("Une nouvelle tentative est prévue automatiquement (2 restantes).")
    assert timedelta(seconds=5) <= settlement.retry_in <= timedelta(seconds=10)


@pytest.mark.parametrize(
    ("trigger", "at_most"), [("manual", 20), ("schedule", 160), ("autopilot", 160), ("retry", 160)]
)
async def test_where_nobody_waits_the_second_pause_outlasts_an_outage_of_minutes(
    make: partial[ExecutiveRun], trigger: str, at_most: int
) -> None:
    settlement = await execute(make(gateway=FakeGateway(errors.GatewayUnavailable())), attempt=2, trigger=trigger)

    assert timedelta(seconds=at_most / 2) <= settlement.retry_in <= timedelta(seconds=at_most)


async def test_no_secret_of_an_error_reaches_the_runs_log(make: partial[ExecutiveRun]) -> None:
    """The database keeps the message with the run and in its log, which the screens show."""
    error = errors.GatewayRejected("refused: Bearer sk-abcdefgh12345678, asked by presidente@emocare.test")

    settlement = await execute(make(gateway=FakeGateway(error)))

    assert settlement.appendix["error_message"] == "refused: Bearer [redacted], asked by [redacted]"


async def test_the_last_attempt_fails_for_good_and_promises_nothing(make: partial[ExecutiveRun]) -> None:
    error = errors.GatewayUnavailable("the model's service answered 503")
    settlement = await execute(make(gateway=FakeGateway(error)), attempt=3)

    assert settlement.outcome is Outcome.FAILED
    assert settlement.summary == errors.GatewayUnavailable.sentence
    assert settlement.appendix["error_code"] == "gateway_unavailable"
    assert settlement.appendix["error_message"] == "the model's service answered 503"
    assert settlement.appendix["http_status"] == 503


async def test_one_attempt_left_is_told_in_the_singular(make: partial[ExecutiveRun]) -> None:
    settlement = await execute(make(gateway=FakeGateway(errors.CircuitOpen())), attempt=2)

    assert settlement.summary.endswith("(1 restante).")


@pytest.mark.parametrize(
    ("error", "words"),
    [(errors.GatewayOutOfCredit(), "Crédits IA insuffisants"), (errors.GatewayRejected(), "a refusé la demande")],
)
async def test_what_cannot_pass_is_final_at_once(make: partial[ExecutiveRun], error: Exception, words: str) -> None:
    settlement = await execute(make(gateway=FakeGateway(error)))

    assert settlement.outcome is Outcome.FAILED
    assert words in settlement.summary


async def test_the_delay_that_the_model_asks_for_is_kept(make: partial[ExecutiveRun]) -> None:
    asked = timedelta(minutes=20)
    settlement = await execute(make(gateway=FakeGateway(errors.GatewayRateLimited(retry_after=asked))))

    assert settlement.retry_in == asked


async def test_a_delay_of_a_day_does_not_park_the_run_for_a_day(make: partial[ExecutiveRun]) -> None:
    asked = timedelta(days=1)
    settlement = await execute(make(gateway=FakeGateway(errors.GatewayRateLimited(retry_after=asked))))

    assert settlement.retry_in == timedelta(hours=1)


async def test_an_unknown_type_fails_with_a_sentence_that_names_it(make: partial[ExecutiveRun]) -> None:
    gateway = FakeGateway()
    settlement = await execute(make(gateway=gateway), run_type="MAKE_COFFEE")

    assert settlement.outcome is Outcome.FAILED
    assert "« MAKE_COFFEE » n'existe pas" in settlement.summary
    assert settlement.appendix["error_code"] == "unknown_run_type"
    assert not gateway.questions


async def test_a_crash_is_an_internal_error_that_tells_nothing_of_its_cause(make: partial[ExecutiveRun]) -> None:
    with structlog.testing.capture_logs() as logs:
        settlement = await execute(make(gateway=FakeGateway(KeyError("sk-very-secret"))))

    assert settlement.outcome is Outcome.RETRY
    assert settlement.appendix["error_code"] == "internal_error"
    assert settlement.appendix["error_message"] == "KeyError in a worker."
    assert "sk-very-secret" not in settlement.model_dump_json()
    assert [line["event"] for line in logs] == ["run.crashed", "run.attempt_failed"]


async def test_a_run_that_takes_too_long_is_ended_and_tried_again(make: partial[ExecutiveRun]) -> None:
    async def hang(subject: Subject) -> Collected:
        del subject
        await asyncio.Event().wait()
        raise AssertionError

    short = SETTINGS.model_copy(update={"run_timeout": timedelta(seconds=0.2)})
    settlement = await execute(make(collect=hang, settings=short))

    assert settlement.outcome is Outcome.RETRY
    assert settlement.appendix["error_code"] == "run_timed_out"
    assert [(step.name, step.status.value) for step in settlement.steps] == [("Collecte", "failed")]


async def test_a_lost_lease_is_not_a_way_to_end_an_attempt() -> None:
    store = FakeStore()
    store.faults["checkpoint"] = lambda: fail_with(errors.LeaseLost())
    clock = FakeClock()

    async def collect_slowly(subject: Subject) -> Collected:
        del subject
        clock.advance(timedelta(seconds=1))
        return COLLECTED

    with pytest.raises(errors.LeaseLost):
        await make_run(store, clock, collect=collect_slowly)(make_claim(), Meter())
    assert not store.settlements


async def test_a_failed_attempt_keeps_what_it_collected_for_the_next(make: partial[ExecutiveRun]) -> None:
    collect, gateway = FakeCollect(), FakeGateway(errors.GatewayUnavailable(), ANSWER)
    run = make(collect=collect, gateway=gateway)

    first = await execute(run)
    kept = {step.name: step.output for step in first.steps if step.output is not None}
    second = await execute(run, attempt=2, checkpoints=kept)

    assert second.outcome is Outcome.COMPLETED
    assert collect.calls == 1
    assert len(gateway.questions) == 2


async def test_a_run_whose_answer_is_known_asks_neither_the_sources_nor_the_model(make: partial[ExecutiveRun]) -> None:
    collect, gateway = FakeCollect(), FakeGateway()
    known = {
        "Collecte": Collected(findings=(FINDING,)).model_dump(mode="json"),
        "Rapport du modèle": ANSWER.model_dump(mode="json"),
    }

    settlement = await execute(make(collect=collect, gateway=gateway), attempt=2, checkpoints=known)

    assert ANSWER.text in settlement.summary
    assert [evidence.evidence_type for evidence in settlement.evidence] == ["github", "verification"]
    assert (collect.calls, len(gateway.questions)) == (0, 0)


async def test_every_question_is_fenced_by_a_word_of_its_own(make: partial[ExecutiveRun]) -> None:
    gateway = FakeGateway(ANSWER, ANSWER)
    run = make(gateway=gateway)

    await execute(run)
    await execute(run)

    first, second = (question[1].content.partition("<donnees-")[2][:16] for question in gateway.questions)
    assert first != second
