"""Messages → answer, from any OpenAI-compatible endpoint, within one budget of calls and waiting.

What a failed call leads to:

    402, 401, 403               the account: final, no other model would fare better
    400, 404, 422, other 4xx    this model, or what it accepts: its fallback is asked at once
    429                         waited for, asked again; a wait beyond the budget sends the run back to the queue
    5xx, network, time limit    asked again, then the fallback; counts against the model's breaker
    no, empty or cut answer     asked again, then the fallback; after a cut one with twice the room

The first model asked has half of the calls (rounded up), the other what is left. A model whose breaker is
open is passed over. Prompts, answers and keys are never logged.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Final

import httpx
import structlog
from pydantic import JsonValue

from shared.backoff import draw_delay
from shared.errors import CircuitOpen, GatewayError, GatewayRateLimited, GatewayRejected, GatewayUnavailable
from shared.registry import ModelTier
from workers import outbound
from workers.gateway.answers import AnswerCut, read_answer, read_status, refusal
from workers.gateway.breaker import Breaker, Permit
from workers.outbound.usage import read_usage
from workers.ports import Answer, Clock, Message, Meter
from workers.settings import GatewaySettings

_BACKOFF_BASE: Final = timedelta(seconds=1)
_BACKOFF_CAP: Final = timedelta(seconds=8)
_PROBE_MARGIN: Final = timedelta(seconds=10)
_ACCOUNT_REFUSALS: Final = frozenset({401, 402, 403})

_log = structlog.get_logger()


class _Failed(Exception):
    """One call gave no answer: why, and whether asking again may help."""

    def __init__(self, error: GatewayError, *, outage: bool = False, final: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.outage = outage
        self.final = final


@dataclass
class _Question:
    """A question, and what it may still cost."""

    messages: list[JsonValue]
    prompt_chars: int
    models: list[str]  # still worth asking, the preferred one first
    calls_left: int
    share_left: int  # calls before the other model is asked
    waiting_left: timedelta
    max_tokens: int
    failures: int = 0
    meter: Meter = field(kw_only=True)

    def spend_call(self) -> None:
        self.calls_left -= 1
        self.share_left -= 1

    def learn(self, model: str, failure: _Failed) -> None:
        """Draw the conclusions of a failed call; the last model is never given up for its share of calls."""
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
        rng: random.Random | None = None,
    ) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._url = f"{str(settings.base_url).rstrip('/')}/chat/completions"
        self._eur_per_usd = Decimal(str(settings.eur_per_usd))
        self._breakers = {
            tier.model: Breaker(
                failures=settings.breaker_failures,
                window=settings.breaker_window,
                open_for=settings.breaker_open,
                probe_for=settings.call_timeout + _PROBE_MARGIN,
                monotonic=clock.monotonic,
            )
            for tier in ModelTier
        }

    def breaker_states(self) -> Mapping[str, str]:
        """Return each model's circuit state: CLOSED, OPEN or HALF_OPEN."""
        return {model: breaker.state.value for model, breaker in self._breakers.items()}

    async def ask(self, tier: ModelTier, messages: Sequence[Message], *, meter: Meter) -> Answer:
        """Ask the tier's model, or its fallback.

        Cost: at most ``max_calls`` calls and ``retry_budget`` of waiting.
        Raises: GatewayError; its ``retry_after`` says when asking again makes sense, where that is known.
        """
        question = self._open_question(tier, messages, meter)
        failure: _Failed | None = None
        while True:
            model = self._choose(question.models)
            permit = self._breakers[model].enter() if model else None
            if model is None or permit is None:
                raise self._explain_refusal(tier, failure)
            question.spend_call()
            try:
                with permit:
                    text = await self._call(model, question, permit)
            except _Failed as failed:
                failure = failed
            else:
                return Answer(text=text, model=model, fallback_used=model != tier.model)
            await self._recover(model, question, failure)

    def _open_question(self, tier: ModelTier, messages: Sequence[Message], meter: Meter) -> _Question:
        settings = self._settings
        if settings.api_key is None:
            raise GatewayRejected(
                "LOVABLE_API_KEY is not set",
                sentence="Le service d'IA n'est pas configuré : sa clé manque. L'équipe technique doit la renseigner.",
            )
        return _Question(
            messages=[message.model_dump() for message in messages],
            prompt_chars=sum(len(message.content) for message in messages),
            models=list(dict.fromkeys((tier.model, tier.fallback_model))),
            calls_left=settings.max_calls,
            share_left=(settings.max_calls + 1) // 2,
            waiting_left=settings.retry_budget,
            max_tokens=settings.max_tokens,
            meter=meter,
        )

    def _choose(self, models: Sequence[str]) -> str | None:
        return next((model for model in models if not self._breakers[model].wait), None)

    def _explain_refusal(self, tier: ModelTier, failure: _Failed | None) -> GatewayError:
        """Say why no model may be asked: what the last one answered, if that may pass; else the breakers."""
        if failure is not None and failure.error.retryable:
            return failure.error
        wait = min(self._breakers[model].wait for model in (tier.model, tier.fallback_model))
        return CircuitOpen(f"the breakers of {tier.value}'s models are open", retry_after=wait)

    async def _recover(self, model: str, question: _Question, failure: _Failed) -> None:
        """Wait as long as the next call asks for; raise when there is to be none."""
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
        if wait > question.waiting_left:
            raise failure.error from failure
        question.waiting_left -= wait
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

    async def _call(self, model: str, question: _Question, permit: Permit) -> str:
        """Make one call: settle its permit, record its usage, return its text or raise ``_Failed``."""
        began = self._clock.monotonic()
        status: int | None = None
        try:
            response = await self._send(model, question)
            status = response.status
            text = self._receive(model, question, response)
        except _Failed as failure:
            if failure.outage:
                permit.failed()
            else:
                permit.succeeded()
            raise
        else:
            permit.succeeded()
        finally:
            spent_ms = round((self._clock.monotonic() - began) * 1000)
            _log.debug("model.called", model=model, status=status, duration_ms=spent_ms)
        return text

    async def _send(self, model: str, question: _Question) -> outbound.Response:
        key = self._settings.api_key
        assert key is not None
        try:
            return await outbound.call(
                self._http,
                "POST",
                self._url,
                within=self._settings.call_timeout,
                headers={"authorization": f"Bearer {key.get_secret_value()}"},
                json={
                    "model": model,
                    "messages": question.messages,
                    "temperature": self._settings.temperature,
                    "max_tokens": question.max_tokens,
                },
            )
        except outbound.CallFailed as error:
            if error.fault is outbound.Fault.MISUSED:
                raise _Failed(GatewayRejected(str(error)), final=True) from error
            raise _Failed(GatewayUnavailable(str(error)), outage=error.is_outage) from error

    def _receive(self, model: str, question: _Question, response: outbound.Response) -> str:
        try:
            body = response.json()
        except outbound.CallFailed:
            body = None  # no choice in it, so an unusable answer; and an error page needs no body
        if response.status == httpx.codes.OK or (isinstance(body, dict) and body.get("usage")):
            question.meter.add(
                read_usage(
                    body,
                    response.headers,
                    model=model,
                    eur_per_usd=self._eur_per_usd,
                    prompt_chars=question.prompt_chars,
                    answer_chars=len(response.body),
                )
            )
        status = read_status(response.status, body)
        if not httpx.codes.is_success(status):
            retry_after = outbound.parse_retry_after(response.headers, self._clock.now())
            error = refusal(status, body, retry_after)
            raise _Failed(error, outage=httpx.codes.is_server_error(status), final=status in _ACCOUNT_REFUSALS)
        try:
            return read_answer(body)
        except GatewayError as error:
            raise _Failed(error) from error
