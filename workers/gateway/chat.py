"""Messages → answer, from any OpenAI-compatible endpoint, within one budget of calls and waiting.

What a failed call leads to:

    402, 401, 403               the account: final, no other model would fare better
    404, 410, a 400 that names the model
                                the model is gone: passed over for a day, the next candidate is asked at once
    400, 422                    what this model accepts: asked again without the parameter that the error names, or
                                with model and messages alone where it names none; remembered for that model
    other 4xx                   the next candidate is asked at once
    429                         waited for, asked again; a wait beyond the budget sends the run back to the queue
    5xx, network, time limit    asked again, then the next candidate; counts against the model's breaker
    no, empty or cut answer     asked again, then the next candidate; after a cut one with twice the room

The first model asked has half of the calls (rounded up), the others one each, the last what is left; a retired
model or a refused parameter uses up no call, because nothing was written. A model whose breaker is open is passed over.
An answer is priced by the model that it names. Prompts, answers and keys are never logged.
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

import httpx
import structlog
from pydantic import JsonValue, SecretStr

from shared.backoff import draw_delay
from shared.errors import (
    CircuitOpen,
    GatewayAnswerUnusable,
    GatewayError,
    GatewayRateLimited,
    GatewayRejected,
    GatewayUnavailable,
    NoModelLeft,
)
from shared.language_models import THINKING, is_same_model
from shared.registry import ModelTier
from workers import outbound, traces
from workers.gateway.answers import (
    AnswerCut,
    ModelGone,
    read_answer,
    read_model,
    read_status,
    refusal,
)
from workers.gateway.breaker import Breaker, Permit
from workers.gateway.candidates import Candidates, Retired
from workers.gateway.parameters import Parameters
from workers.outbound.usage import read_usage
from workers.outbound.waits import read_wait
from workers.ports import UNOBSERVED, Answer, Clock, Journal, Message, Meter, ModelCallEnd, Observer, Retries
from workers.settings import GatewaySettings

_BACKOFF_BASE: Final = timedelta(seconds=1)
_BACKOFF_CAP: Final = timedelta(seconds=8)
_PROBE_MARGIN: Final = timedelta(seconds=10)
_ACCOUNT_REFUSALS: Final = frozenset({401, 402, 403})
_MALFORMED: Final = frozenset({400, 422})
_LIST_WITHIN: Final = timedelta(seconds=10)
_LIST_BYTES: Final = 4 * 1024 * 1024  # a gateway that resells hundreds of models describes each at length
_ANSWER_BYTES: Final = 1024 * 1024  # thoughts included, which some gateways send twice

_log = structlog.get_logger()


class _Failed(Exception):
    """One call that brought no answer: why, and whether asking again may help."""

    def __init__(
        self, error: GatewayError, *, outage: bool = False, final: bool = False, adapted: bool = False
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.outage = outage
        self.final = final
        self.adapted = adapted  # the same model is to be asked again at once, without what it refused


def _name_end(error: GatewayError) -> ModelCallEnd:
    match error:
        case GatewayRateLimited():
            return ModelCallEnd.RATE_LIMITED
        case GatewayUnavailable():
            return ModelCallEnd.UNAVAILABLE
        case GatewayAnswerUnusable():
            return ModelCallEnd.UNUSABLE
        case _:
            return ModelCallEnd.REFUSED


@contextmanager
def _name_fault(asking: traces.Span) -> Iterator[None]:
    """Have a span say why its call failed: that is in what is raised, not its class."""
    try:
        yield
    except _Failed as failure:
        asking.fail(failure.error.code)
        raise


@dataclass
class _Question:
    """A question, and what it may still cost."""

    messages: list[JsonValue]
    prompt_chars: int
    models: list[str]  # still worth asking, the preferred one first
    calls_left: int
    share_left: int  # calls before the next model is asked
    waiting_left: timedelta
    max_tokens: int  # thoughts included
    effort: str
    retries: Retries = field(default_factory=Retries)
    failures: int = 0
    plain: set[str] = field(default_factory=set)  # models that are asked with their messages alone
    meter: Meter = field(kw_only=True)

    def spend_call(self, calls: int = 1) -> None:
        self.calls_left -= calls
        self.share_left -= calls

    def learn(self, model: str, failure: _Failed) -> None:
        """Draw conclusions from a failed call; the last model is never dropped for using up its share of calls."""
        self.failures += 1
        if isinstance(failure.error, AnswerCut):
            self.max_tokens *= 2
        refused = isinstance(failure.error, GatewayRejected)
        # Rate limits belong to the account: a long one is not escaped by asking another model.
        too_long = isinstance(failure.error, GatewayUnavailable) and (
            (failure.error.retry_after or timedelta(0)) > self.waiting_left
        )
        others = [other for other in self.models if other != model]
        if refused or (others and (too_long or self.share_left <= 0)):
            self.models = others


class ChatGateway:
    """Asks the model.

    Concurrency: any number of questions at once over one client; breakers are shared between them.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: GatewaySettings,
        *,
        clock: Clock,
        journal: Journal | None = None,
        rng: random.Random | None = None,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._journal = journal
        self._observer = observer
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._url = f"{str(settings.base_url).rstrip('/')}/chat/completions"
        self._list_url = f"{str(settings.base_url).rstrip('/')}/models"
        self._eur_per_usd = Decimal(str(settings.eur_per_usd))
        self._candidates = Candidates(settings.models, clock=clock)
        self._parameters = Parameters()
        self._breakers = {
            model: Breaker(
                failures=settings.breaker_failures,
                window=settings.breaker_window,
                open_for=settings.breaker_open,
                probe_for=settings.call_timeout + _PROBE_MARGIN,
                monotonic=clock.monotonic,
            )
            for model in self._candidates.models()
        }

    def breaker_states(self) -> Mapping[str, str]:
        """Return each model's circuit state: CLOSED, OPEN or HALF_OPEN."""
        return {model: breaker.state.value for model, breaker in self._breakers.items()}

    def retired_models(self) -> list[str]:
        """Return the configured models that the gateway no longer has."""
        return self._candidates.gone()

    async def look_up_models(self) -> bool:
        """Learn from the gateway's list of models which ones it has; return whether there was a list to read.

        Without one, all are worth asking.
        """
        if self._settings.api_key is None:
            return False
        try:
            response = await outbound.call(
                self._http,
                "GET",
                self._list_url,
                within=_LIST_WITHIN,
                max_bytes=_LIST_BYTES,
                headers=self._headers(self._settings.api_key),
            )
            body = response.json()
        except outbound.CallFailed as error:
            _log.info("models.not_listed", reason=str(error))
            return False
        if not httpx.codes.is_success(response.status):
            return False
        for retired in self._candidates.learn_list(body):
            await self._report_retired(retired)
        return True

    async def try_models(self) -> dict[str, str]:
        """Ask each configured model for a token; return the faults of those that do not answer.

        Cost: one short call per model.
        """
        faults: dict[str, str] = {}
        for model in self._candidates.models():
            question = _Question(
                messages=[{"role": "user", "content": "OK ?"}],
                prompt_chars=4,
                models=[model],
                calls_left=1,
                share_left=1,
                waiting_left=timedelta(0),
                max_tokens=1,
                effort="low",
                meter=Meter(),
            )
            while True:
                try:
                    self._receive(model, question, await self._send(model, question))
                except _Failed as failure:
                    if failure.adapted:
                        continue
                    if not isinstance(failure.error, GatewayAnswerUnusable):  # one token is not a whole answer
                        faults[model] = str(failure.error)
                break
        return faults

    async def _report_retired(self, retired: Retired | None) -> None:
        if retired is None:
            return
        _log.warning("model.retired", model=retired.model, reason=retired.reason)
        if self._journal is not None:
            await self._journal.write("warn", "executive-run", "model.retired", retired._asdict())

    async def ask(
        self,
        tier: ModelTier,
        messages: Sequence[Message],
        *,
        meter: Meter,
        only: str | None = None,
        without: Collection[str] = (),
        retries: Retries | None = None,
    ) -> Answer:
        """Ask the tier's models, one after the other, until one gives a whole answer.

        Cost: at most ``max_calls`` calls and ``retry_budget`` of waiting; less what ``retries`` has used of both, but
        always one call.
        Raises: GatewayError; its ``retry_after`` says when asking again makes sense, where that is known.
        """
        wanted = [only] if only else self._candidates.of(tier)
        models = [model for model in wanted if model in self._breakers and model not in without]
        if not models:
            raise NoModelLeft(f"no other model is configured for the tier {tier.value}")
        question = self._open_question(tier, messages, models, meter, retries or Retries())
        failure: _Failed | None = None
        while True:
            model = self._choose(question.models)
            permit = self._breakers[model].enter() if model else None
            if model is None or permit is None:
                raise self._explain_refusal(models, failure)
            question.spend_call()
            try:
                with permit:
                    text, answered_by = await self._call(model, question, permit)
            except _Failed as failed:
                failure = failed
            else:
                fallback_used = model != self._candidates.preferred(tier)
                asked = "" if answered_by == model else model
                return Answer(text=text, model=answered_by, fallback_used=fallback_used, asked=asked)
            await self._recover(model, question, failure)

    def _open_question(
        self, tier: ModelTier, messages: Sequence[Message], models: Sequence[str], meter: Meter, retries: Retries
    ) -> _Question:
        settings = self._settings
        calls = max(1, settings.max_calls - retries.calls)
        thinking = THINKING[tier]
        if settings.api_key is None:
            raise GatewayRejected(
                "LOVABLE_API_KEY is not set",
                sentence="Le service d'IA n'est pas configuré : sa clé manque. L'équipe technique doit la renseigner.",
            )
        return _Question(
            messages=[message.model_dump() for message in messages],
            prompt_chars=sum(len(message.content) for message in messages),
            models=list(models),
            calls_left=calls,
            share_left=(calls + 1) // 2,
            waiting_left=max(timedelta(0), settings.retry_budget - retries.waited),
            max_tokens=settings.max_tokens + thinking.tokens,
            effort=thinking.effort,
            retries=retries,
            meter=meter,
        )

    def _choose(self, models: Sequence[str]) -> str | None:
        return next((model for model in models if not self._breakers[model].wait), None)

    def _explain_refusal(self, models: Sequence[str], failure: _Failed | None) -> GatewayError:
        """Return why no model may be asked: the last one's error, if that may pass; else the breakers."""
        if failure is not None and failure.error.retryable:
            return failure.error
        wait = min(self._breakers[model].wait for model in models)
        return CircuitOpen(f"the breakers are open: {', '.join(models)}", retry_after=wait)

    async def _recover(self, model: str, question: _Question, failure: _Failed) -> None:
        """Wait as long as the next call requires; raise if there is to be none."""
        if failure.adapted:
            question.spend_call(-1)
            return
        if isinstance(failure.error, ModelGone):
            question.spend_call(-1)
            await self._report_retired(self._candidates.note_gone(model, str(failure.error)))
        question.learn(model, failure)
        if failure.final or not question.models or not question.calls_left:
            raise failure.error from failure
        successor = self._choose(question.models)
        if successor is None:
            return
        wait = timedelta(0)
        if isinstance(failure.error, GatewayRateLimited) or successor == model:
            wait = failure.error.retry_after or draw_delay(
                question.failures, base=_BACKOFF_BASE, cap=_BACKOFF_CAP, rng=self._rng
            )
        if wait > question.waiting_left or not self._is_in_time(question.retries, wait):
            raise failure.error from failure
        question.waiting_left -= wait
        question.retries.waited += wait
        question.retries.calls += not isinstance(failure.error, ModelGone)
        _log.warning(
            "model.retried",
            model=model,
            next_model=successor,
            error_code=failure.error.code,
            error_message=str(failure.error),
            wait_ms=round(wait.total_seconds() * 1000),
            calls_left=question.calls_left,
        )
        if wait:
            await self._clock.sleep(wait)

    def _is_in_time(self, retries: Retries, wait: timedelta) -> bool:
        last_call_at = retries.last_call_at
        return last_call_at is None or self._clock.monotonic() + wait.total_seconds() <= last_call_at

    async def _call(self, model: str, question: _Question, permit: Permit) -> tuple[str, str]:
        """Make one call: settle its permit, record its usage; return the text and the model that wrote it."""
        began = self._clock.monotonic()
        status: int | None = None
        end = ModelCallEnd.ABANDONED
        try:
            with traces.span("model", model=model) as asking, _name_fault(asking):
                response = await self._send(model, question)
                status = response.status
                text, answered_by = self._receive(model, question, response)
        except _Failed as failure:
            end = _name_end(failure.error)
            if failure.outage:
                permit.failed()
            else:
                permit.succeeded()
            raise
        else:
            end = ModelCallEnd.ANSWERED
            permit.succeeded()
        finally:
            seconds = self._clock.monotonic() - began
            self._observer.note_model_call(model, end, seconds)
            _log.debug("model.called", model=model, status=status, duration_ms=round(seconds * 1000))
        return text, answered_by

    async def _send(self, model: str, question: _Question) -> outbound.Response:
        key = self._settings.api_key
        assert key is not None
        parameters = self._choose_parameters(model, question)
        try:
            return await outbound.call(
                self._http,
                "POST",
                self._url,
                within=self._settings.call_timeout,
                max_bytes=_ANSWER_BYTES,
                headers=self._headers(key),
                json={"model": model, "messages": question.messages, **parameters},
            )
        except outbound.CallFailed as error:
            if error.fault is outbound.Fault.MISUSED:
                raise _Failed(GatewayRejected(str(error)), final=True) from error
            raise _Failed(GatewayUnavailable(str(error)), outage=error.is_outage) from error

    @staticmethod
    def _headers(key: SecretStr) -> dict[str, str]:
        return {"authorization": f"Bearer {key.get_secret_value()}"}

    def _choose_parameters(self, model: str, question: _Question) -> dict[str, JsonValue]:
        if model in question.plain:
            return {}
        return self._parameters.choose(model, max_tokens=question.max_tokens, effort=question.effort)

    def _adapt(self, model: str, question: _Question, body: JsonValue) -> bool:
        """Leave out what the model refuses, or everything if it names nothing; return whether anything changes."""
        sent = self._choose_parameters(model, question)
        if sent and not self._parameters.learn(model, sent, body):
            question.plain.add(model)
        return bool(sent)

    def _receive(self, model: str, question: _Question, response: outbound.Response) -> tuple[str, str]:
        read = self._read(model, question, response)
        if isinstance(read, _Failed):
            raise read
        return read

    def _read(self, model: str, question: _Question, response: outbound.Response) -> tuple[str, str] | _Failed:
        """Return the text and the model that wrote it, or the failure.

        It is not raised here: until the next call it would hold this frame, and with it all that was parsed.
        """
        try:
            body = response.json()
        except outbound.CallFailed:
            body = None  # without a choice the answer is unusable; and an error page needs no body
        answered_by = self._record_usage(model, question, response, body)
        status = read_status(response.status, body)
        if not httpx.codes.is_success(status):
            retry_after = outbound.parse_retry_after(response.headers, self._clock.now()) or read_wait(body)
            error = refusal(status, body, retry_after)
            adapted = status in _MALFORMED and not isinstance(error, ModelGone) and self._adapt(model, question, body)
            outage = httpx.codes.is_server_error(status)
            return _Failed(error, outage=outage, final=status in _ACCOUNT_REFUSALS, adapted=adapted)
        if model in question.plain:
            self._parameters.refuse_all(model)
        try:
            return read_answer(body), answered_by
        except GatewayError as unusable:
            return _Failed(unusable.with_traceback(None))

    def _record_usage(self, model: str, question: _Question, response: outbound.Response, body: JsonValue) -> str:
        """Bill the call to the model that the answer names, which may differ from the one asked; return its id."""
        answered_by = read_model(body, asked=model)
        if is_same_model(model, answered_by):
            answered_by = model
        elif response.status == httpx.codes.OK:
            _log.warning("model.rerouted", asked=model, answered=answered_by)
        if response.status == httpx.codes.OK or (isinstance(body, dict) and body.get("usage")):
            question.meter.add(
                read_usage(
                    body,
                    response.headers,
                    model=answered_by,
                    eur_per_usd=self._eur_per_usd,
                    prompt_chars=question.prompt_chars,
                    answer_chars=len(response.body),
                )
            )
        return answered_by
