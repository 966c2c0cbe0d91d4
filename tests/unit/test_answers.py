"""From the first answer to the one that is stored: what is asked again, of whom, how often, and what wins."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import JsonValue
from support.clock import FakeClock
from support.runs import BILL, COLLECTED, NOW, FakeGateway, FakeStore, make_claim

from shared.errors import GatewayOutOfCredit, GatewayUnavailable, NoModelLeft, RunTimedOut, WorkersError
from shared.registry import find_run_type
from shared.runs import Claim
from workers.executive_run.answers import PATIENCE, ROOM_FOR_A_QUESTION, Answers, Asking, Deadline, Judged
from workers.executive_run.compose import compose
from workers.executive_run.grounds import ground
from workers.executive_run.steps import StepRecorder
from workers.executive_run.verification.model import Fault, FaultKind, Grounds, Verification
from workers.ports import Answer, Meter, ReportInputs

LIMIT = timedelta(minutes=10)
GROUNDS = ground(
    find_run_type("PLATFORM_STATUS_REVIEW"),
    COLLECTED,
    platforms=[],
    platform_key=None,
    inputs=ReportInputs(),
    context=None,
    now=NOW,
)
MESSAGES = compose(GROUNDS, without_data=[], nonce="n")


def verify(text: str, grounds: Grounds) -> Verification:
    """Find the faults that a text names itself; fail where it says so."""
    del grounds
    if text == "fails":
        raise ArithmeticError
    faults = [
        Fault(kind=kind, section=None, quote="", sentence="Faute.")
        for kind in FaultKind
        for _ in range(text.count(kind))
    ]
    return Verification(text=text, faults=tuple(faults), figures=0)


def answer(text: str, model: str = "first") -> Answer:
    return Answer(text=text, model=model, fallback_used=False)


class Attempt:
    """One attempt, with what it is answered."""

    def __init__(self, *outcomes: Answer | Exception, claim: Claim | None = None, awaited: bool = False) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.gateway = FakeGateway(*outcomes)
        self.steps = StepRecorder(claim or make_claim(), store=self.store, clock=self.clock, meter=Meter())
        self.deadline = Deadline(self.clock, LIMIT, lambda: awaited)

    async def ask(self) -> tuple[Judged, ...]:
        asking = Asking(
            gateway=self.gateway,
            steps=self.steps,
            grounds=GROUNDS,
            meter=Meter(),
            deadline=self.deadline,
            verify=verify,
        )
        return await asking.ask(MESSAGES)


async def test_a_good_report_is_asked_for_once() -> None:
    attempt = Attempt(answer("bon"))

    (only,) = await attempt.ask()

    assert only.answer.text == "bon"
    assert attempt.gateway.chosen == [(None,)]
    assert not attempt.store.checkpoints


@pytest.mark.parametrize("text", ["unverified unverified", "bon"])
async def test_what_is_only_to_be_marked_is_not_asked_again(text: str) -> None:
    attempt = Attempt(answer(text))

    await attempt.ask()

    assert len(attempt.gateway.questions) == 1


@pytest.mark.parametrize("text", ["missing_section", "contradicted", "unknown_reference", "unverified " * 3])
async def test_a_fault_is_shown_to_the_same_model_once(text: str) -> None:
    attempt = Attempt(answer(text), answer("bon"))

    best, other = await attempt.ask()

    assert (best.answer.text, other.answer.text) == ("bon", text)
    assert attempt.gateway.chosen == [(None,), ("first",)]
    assert attempt.gateway.questions[1][:2] == MESSAGES
    assert attempt.gateway.questions[1][2].content == text.strip()
    assert "Faute." in attempt.gateway.questions[1][3].content


async def test_a_report_that_stays_unfit_is_asked_of_another_model_with_the_first_question() -> None:
    attempt = Attempt(answer("cut_short"), answer("leaked"), answer("bon", "second"))

    judged = await attempt.ask()

    assert judged[0].answer.model == "second"
    assert attempt.gateway.chosen == [(None,), ("first",), (None, "first")]
    assert attempt.gateway.questions[2] == MESSAGES


async def test_three_unfit_answers_are_the_end() -> None:
    attempt = Attempt(answer("cut_short leaked"), answer("leaked"), answer("too_long cut_short", "second"))

    judged = await attempt.ask()

    assert [one.verification.is_usable for one in judged] == [False] * 3
    assert judged[0].answer.text == "leaked"
    assert len(attempt.gateway.questions) == 3


async def test_the_best_answer_wins_and_not_the_last() -> None:
    attempt = Attempt(answer("contradicted"), answer("contradicted contradicted unverified"))

    judged = await attempt.ask()

    assert judged[0].answer.text == "contradicted"
    assert len(attempt.gateway.questions) == 2, "what can be marked needs no third answer"


async def test_every_answer_is_safe_before_the_next_question() -> None:
    attempt = Attempt(answer("cut_short"), answer("leaked"), answer("bon", "second"))

    await attempt.ask()

    stored = [Answers.model_validate(record.output).answers for record in attempt.store.checkpoints]
    assert [[one.text for one in answers] for answers in stored] == [["cut_short"], ["cut_short", "leaked"]]
    (last,) = attempt.steps.unwritten()
    assert [one.text for one in Answers.model_validate(last.output).answers] == ["cut_short", "leaked", "bon"]


@pytest.mark.parametrize("known", [1, 2, 3])
async def test_another_attempt_goes_on_where_the_last_one_was_killed(known: int) -> None:
    answers = [answer("cut_short"), answer("leaked"), answer("bon", "second")]
    output = Answers(answers=tuple(answers[:known])).model_dump(mode="json")
    claim = make_claim(checkpoints={"Rapport du modèle": output})
    attempt = Attempt(*answers[known:], claim=claim)

    judged = await attempt.ask()

    assert judged[0].answer.text == "bon"
    assert len(attempt.gateway.questions) == 3 - known


async def test_the_answer_that_an_older_worker_stored_is_understood() -> None:
    stored = {"text": "bon", "model": "first", "fallback_used": False}
    attempt = Attempt(claim=make_claim(checkpoints={"Rapport du modèle": stored}))

    (only,) = await attempt.ask()

    assert (only.answer.text, attempt.gateway.questions) == ("bon", [])


@pytest.mark.parametrize("stored", [{"content": "bon"}, {}, {"answers": []}])
async def test_a_checkpoint_of_another_shape_is_asked_for_again(stored: dict[str, JsonValue]) -> None:
    attempt = Attempt(answer("bon"), claim=make_claim(checkpoints={"Rapport du modèle": stored}))

    (only,) = await attempt.ask()

    assert (only.answer.text, len(attempt.gateway.questions)) == ("bon", 1)


async def test_an_answer_that_cannot_be_verified_is_no_report_and_another_is_asked() -> None:
    attempt = Attempt(answer("fails"), answer("fails"), answer("bon", "second"))

    judged = await attempt.ask()

    assert [one.answer.text for one in judged] == ["bon", "fails", "fails"]
    assert [fault.kind for fault in judged[1].verification.faults] == [FaultKind.NOT_A_REPORT]
    assert judged[1].verification.text == "fails"


@pytest.mark.parametrize(
    ("text", "awaited", "waited", "calls"),
    [
        ("contradicted", True, PATIENCE, 2),
        ("contradicted", True, PATIENCE * 1.1, 1),
        ("contradicted", False, PATIENCE * 1.1, 2),
        ("leaked", True, PATIENCE * 1.1, 2),
        ("contradicted", False, LIMIT - ROOM_FOR_A_QUESTION * 0.9, 1),
    ],
)
async def test_time_decides_what_is_still_asked(text: str, awaited: bool, waited: timedelta, calls: int) -> None:  # noqa: FBT001
    attempt = Attempt(answer(text), answer("bon"), awaited=awaited)
    attempt.clock.advance(waited)

    await attempt.ask()

    assert len(attempt.gateway.questions) == calls


async def test_without_time_for_another_model_another_attempt_goes_on() -> None:
    attempt = Attempt(answer("leaked"))
    attempt.clock.advance(LIMIT)

    with pytest.raises(RunTimedOut):
        await attempt.ask()
    assert len(attempt.gateway.questions) == 1


@pytest.mark.parametrize("error", [GatewayUnavailable(), GatewayOutOfCredit(), NoModelLeft()])
async def test_a_report_that_may_be_stored_does_not_fail_for_want_of_a_better_one(error: WorkersError) -> None:
    attempt = Attempt(answer("contradicted"), error)

    (only,) = await attempt.ask()

    assert only.answer.text == "contradicted"


async def test_when_the_first_model_is_away_the_next_is_asked_at_once() -> None:
    attempt = Attempt(answer("leaked"), GatewayUnavailable(), answer("bon", "second"))

    judged = await attempt.ask()

    assert judged[0].answer.model == "second"


@pytest.mark.parametrize("error", [GatewayUnavailable, GatewayOutOfCredit])
async def test_an_error_of_the_gateway_is_the_attempts_end_where_nothing_may_be_stored(
    error: Callable[[], WorkersError],
) -> None:
    attempt = Attempt(answer("leaked"), answer("leaked"), error())

    with pytest.raises(type(error())):
        await attempt.ask()

    (record,) = attempt.store.checkpoints[-1:]
    assert len(Answers.model_validate(record.output).answers) == 2
    assert not attempt.steps.unwritten(), "the answers are safe, and not written over as failed"


async def test_where_there_is_no_other_model_the_answers_are_all_there_is() -> None:
    attempt = Attempt(answer("leaked"), answer("cut_short"), NoModelLeft())

    judged = await attempt.ask()

    assert [one.verification.is_usable for one in judged] == [False, False]


async def test_every_question_is_billed() -> None:
    attempt = Attempt(answer("leaked"), answer("bon"))
    meter = Meter()

    await Asking(
        gateway=attempt.gateway,
        steps=attempt.steps,
        grounds=GROUNDS,
        meter=meter,
        deadline=attempt.deadline,
        verify=verify,
    ).ask(MESSAGES)

    assert meter.total.calls == 2 * BILL.calls
