"""From the question to the answer that is stored: asked, verified, asked again where it helps, the best one chosen.

At most three answers: the first candidate's, its second one, which was shown the faults of its first, and another
candidate's, if neither may be stored. A report whose figures alone are in doubt needs no third answer: it is marked.
Every answer is safe in the database before the next question is asked, and verification is pure: after a kill
whatever was answered is verified again, and nothing is paid twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from pydantic import Field, JsonValue, model_validator

from shared.errors import GatewayError, NoModelLeft, RunTimedOut
from shared.frozen import FrozenModel
from shared.sanitise import strip_markup
from workers.executive_run.compose import compose_again
from workers.executive_run.steps import Step, StepRecorder
from workers.executive_run.verification.model import Fault, FaultKind, Grounds, Verification
from workers.executive_run.verification.verify import verify
from workers.ports import Answer, Clock, Gateway, Message, Meter, Retries

ROOM_FOR_A_QUESTION: Final = timedelta(seconds=130)
"""No further question starts with less than this left of the run's time: it would be paid for and lost."""

PATIENCE: Final = timedelta(seconds=45)
"""After this, whoever waits by HTTP gets a marked report rather than a better one too late."""

_UNVERIFIABLE: Final = Fault(
    kind=FaultKind.NOT_A_REPORT,
    section=None,
    quote="",
    sentence="Le rapport n'a pas pu être vérifié. Écrivez-le sans nombre démesuré ni notation inhabituelle.",
)

_log = structlog.get_logger(__name__)


class Answers(FrozenModel):
    """What a run was answered so far, in order: the output of its step."""

    answers: tuple[Answer, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _read_one(cls, stored: JsonValue) -> JsonValue:
        """Read what an older worker wrote: the one answer."""
        return {"answers": [stored]} if isinstance(stored, dict) and "text" in stored else stored


@dataclass(frozen=True)
class Judged:
    """An answer, and what was found in it."""

    answer: Answer
    verification: Verification


@dataclass
class Deadline:
    """How much time an attempt has, and whether somebody waits for it. Units: monotonic seconds."""

    clock: Clock
    limit: timedelta
    is_awaited: Callable[[], bool]
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock.monotonic()

    @property
    def last_call_at(self) -> float:
        """Return when the last call may start."""
        room = min(ROOM_FOR_A_QUESTION, self.limit / 4)  # a limit that is shorter than usual shortens both
        return self.began + (self.limit - room).total_seconds()

    def allows_another(self) -> bool:
        """Return whether there is time for another question."""
        return self.clock.monotonic() <= self.last_call_at

    def allows_polish(self) -> bool:
        """Return whether a report that may be stored as it is should still be asked for again."""
        waited = self.clock.monotonic() - self.began
        return self.allows_another() and not (waited > PATIENCE.total_seconds() and self.is_awaited())


class Asking:
    """The questions of one attempt."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        steps: StepRecorder,
        grounds: Grounds,
        meter: Meter,
        deadline: Deadline,
        verify: Callable[[str, Grounds], Verification] = verify,
    ) -> None:
        self._gateway = gateway
        self._steps = steps
        self._grounds = grounds
        self._meter = meter
        self._deadline = deadline
        self._verify = verify
        self._tier = grounds.run_type.tier
        self._retries = Retries(last_call_at=deadline.last_call_at)

    async def ask(self, messages: Sequence[Message]) -> tuple[Judged, ...]:
        """Ask until a report may be stored, or nothing is left to try; return every answer, the best one first.

        Cost: at most three whole answers.
        Raises: GatewayError, RunTimedOut where another attempt should go on asking.
        """
        answers = await self._steps.do(Step.ASK, Answers, lambda: self._extend((), messages))
        judged = [self._judge(answer) for answer in answers.answers]
        if len(judged) == 1 and self._is_worth_asking_again(judged[0]):
            await self._ask_again(judged, messages)
        if not any(one.verification.is_usable for one in judged):
            await self._ask_another(judged, messages)
        return tuple(sorted(judged, key=lambda one: one.verification.rank))

    def _is_worth_asking_again(self, first: Judged) -> bool:
        found = first.verification
        if not found.is_worth_asking_again:
            return False
        return self._deadline.allows_polish() if found.is_usable else self._deadline.allows_another()

    async def _ask_again(self, judged: list[Judged], messages: Sequence[Message]) -> None:
        first = judged[0]
        question = compose_again(messages, first.answer, first.verification.faults)
        try:
            await self._ask_more(judged, question, only=first.answer.candidate)
        except GatewayError as error:
            if not (first.verification.is_usable or error.retryable or isinstance(error, NoModelLeft)):
                raise
            _log.warning("model.not_asked_again", error_code=error.code, error_message=str(error))

    async def _ask_another(self, judged: list[Judged], messages: Sequence[Message]) -> None:
        asked = {one.answer.candidate for one in judged}
        if len(asked) > 1:
            return
        if not self._deadline.allows_another():
            raise RunTimedOut
        try:
            await self._ask_more(judged, messages, without=frozenset(asked))
        except NoModelLeft:
            return

    async def _ask_more(
        self,
        judged: list[Judged],
        messages: Sequence[Message],
        *,
        only: str | None = None,
        without: frozenset[str] = frozenset(),
    ) -> None:
        worst = judged[-1].verification
        _log.warning(
            "report.asked_again",
            model=only,
            without=sorted(without),
            faults=[fault.kind.value for fault in worst.faults],
        )
        so_far = tuple(one.answer for one in judged)
        answers = await self._steps.extend(Step.ASK, lambda: self._extend(so_far, messages, only=only, without=without))
        judged.append(self._judge(answers.answers[-1]))

    async def _extend(
        self,
        so_far: tuple[Answer, ...],
        messages: Sequence[Message],
        *,
        only: str | None = None,
        without: frozenset[str] = frozenset(),
    ) -> Answers:
        answer = await self._gateway.ask(
            self._tier, messages, meter=self._meter, only=only, without=without, retries=self._retries
        )
        return Answers(answers=(*so_far, answer))

    def _judge(self, answer: Answer) -> Judged:
        text = strip_markup(answer.text)
        try:
            return Judged(answer, self._verify(text, self._grounds))
        except Exception:  # noqa: BLE001 - the answer is in the database: every attempt would fail on it again
            _log.exception("report.unverifiable", model=answer.model)
            return Judged(answer, Verification(text=text, faults=(_UNVERIFIABLE,), figures=0))
