"""The model's client against the stand-in, over a real socket: what each failure leads to, and what it costs."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pydantic import JsonValue
from structlog.testing import capture_logs
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import (
    CircuitOpen,
    GatewayAnswerUnusable,
    GatewayError,
    GatewayOutOfCredit,
    GatewayRateLimited,
    GatewayRejected,
    GatewayUnavailable,
)
from shared.language_models import CANDIDATES, THINKING
from shared.registry import ModelTier
from workers.gateway.chat import ChatGateway
from workers.ports import Answer, Message, Meter, Usage
from workers.settings import GatewaySettings

KEY = "sk-canary-0123456789"
PROMPT = (Message(role="system", content="Vous êtes concis."), Message(role="user", content="CANARI : 42 tickets."))
PRIMARY = "google/gemini-3.8-flash"
FALLBACK = "openai/gpt-5.2"
THIRD = "google/gemini-3.1-pro-preview"
ROOM = THINKING[ModelTier.REASONING].tokens

MakeGateway = Callable[..., ChatGateway]


class FakeJournal:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, Mapping[str, JsonValue]]] = []

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        assert source == "executive-run"
        self.lines.append((level, message, metadata))


class DetailedMeter(Meter):
    """Keeps what each call consumed."""

    def __init__(self) -> None:
        super().__init__()
        self.usages: list[Usage] = []

    def add(self, usage: Usage) -> None:
        super().add(usage)
        self.usages.append(usage)


@pytest.fixture
def make_gateway(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> MakeGateway:
    def make(**settings: Any) -> ChatGateway:
        usual = {
            "base_url": f"{vendors.base_url}/openai/v1",
            "api_key": KEY,
            "retry_budget": 60,
            "max_calls": 4,
            "breaker_failures": 10,
            "eur_per_usd": 0.5,
            "models_reasoning": f"{PRIMARY}, {FALLBACK}",
        }
        return ChatGateway(http, GatewaySettings.model_validate(usual | settings), clock=clock, rng=random.Random(1))

    return make


async def ask(gateway: ChatGateway, meter: Meter | None = None) -> Answer:
    return await gateway.ask(ModelTier.REASONING, PROMPT, meter=meter or Meter())


async def fail(gateway: ChatGateway) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await ask(gateway)
    return caught.value


async def models_asked(vendors: VendorsClient) -> list[str]:
    return [call["body"]["model"] for call in await vendors.calls("openai")]


async def test_an_answer_comes_with_its_model_and_its_cost_in_euros(
    make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 20},
        "cost": 0.0042,
    }
    await vendors.script("openai", {"content": "Bonjour", "merge": {"usage": usage}})
    meter = DetailedMeter()

    answer = await ask(make_gateway(), meter)

    assert answer == Answer(text="Bonjour", model=PRIMARY, fallback_used=False)
    expected = Usage(
        model=PRIMARY,
        calls=1,
        tokens_in=100,
        tokens_out=50,
        tokens_cached=30,
        tokens_reasoning=20,
        cost_eur=Decimal("0.0021"),
    )
    assert meter.usages == [expected]


async def test_the_question_is_sent_in_the_vendors_format(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await ask(make_gateway(max_tokens=321))

    (call,) = await vendors.calls("openai")
    assert call["path"] == "/v1/chat/completions"
    assert call["authorized"]
    assert call["body"] == {
        "model": PRIMARY,
        "messages": [{"role": message.role, "content": message.content} for message in PROMPT],
        "max_tokens": 321 + ROOM,
        "reasoning_effort": "medium",
    }


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
async def test_a_429_is_waited_for_as_long_as_it_says(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock, form: str
) -> None:
    seen = {
        "seconds": {"retry-after": "3"},
        "milliseconds": {"retry-after-ms": "3000"},
        "date": {"retry-after": format_datetime(clock.now() + timedelta(seconds=3), usegmt=True)},
    }
    await vendors.script("openai", {"status": 429, "headers": seen[form]})

    answer = await ask(make_gateway())

    assert clock.sleeps == [timedelta(seconds=3)]
    assert answer.model == PRIMARY


async def test_a_wait_longer_than_the_budget_is_handed_back_at_once(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("openai", {"status": 429, "headers": {"retry-after": "61"}})

    error = await fail(make_gateway(retry_budget=60))

    assert isinstance(error, GatewayRateLimited)
    assert error.retry_after == timedelta(seconds=61)
    assert (await models_asked(vendors), clock.sleeps) == ([PRIMARY], [])


async def test_the_waiting_of_one_question_adds_up_over_both_models(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("openai", {"status": 429, "headers": {"retry-after": "4"}}, repeat=True)

    error = await fail(make_gateway(retry_budget=10, max_calls=9))

    assert isinstance(error, GatewayRateLimited)
    assert clock.slept == timedelta(seconds=8)
    assert len(await models_asked(vendors)) == 3


async def test_without_retry_after_waits_grow_and_differ(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("openai", {"status": 429}, {"status": 429}, {"status": 429})

    await ask(make_gateway())

    first, second, third = clock.sleeps
    assert timedelta(seconds=0.5) <= first <= timedelta(seconds=1) <= second <= timedelta(seconds=2) <= third


async def test_no_credit_left_is_final(make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock) -> None:
    await vendors.script("openai", {"status": 402, "headers": {"retry-after": "1"}})

    error = await fail(make_gateway())

    assert isinstance(error, GatewayOutOfCredit)
    assert not error.retryable
    assert (await models_asked(vendors), clock.sleeps) == ([PRIMARY], [])


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_final(make_gateway: MakeGateway, vendors: VendorsClient, status: int) -> None:
    await vendors.script("openai", {"status": status})

    assert isinstance(await fail(make_gateway()), GatewayRejected)
    assert await models_asked(vendors) == [PRIMARY]


@pytest.mark.parametrize("status", [404, 410, 413])
async def test_a_model_that_refuses_the_request_gives_way_to_its_fallback_at_once(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock, status: int
) -> None:
    await vendors.script("openai", {"status": status})

    answer = await ask(make_gateway())

    assert (answer.model, answer.fallback_used) == (FALLBACK, True)
    assert (await models_asked(vendors), clock.sleeps) == ([PRIMARY, FALLBACK], [])


async def test_a_request_that_both_models_refuse_is_rejected(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", {"status": 404}, repeat=True)

    error = await fail(make_gateway())

    assert isinstance(error, GatewayRejected)
    assert str(error) == "the model's service answered 404 (not_found)"
    assert await models_asked(vendors) == [PRIMARY, FALLBACK]


@pytest.mark.parametrize("step", [{"status": 500}, {"status": 503}, {"status": 408}, {"close": True}, {"cut": True}])
async def test_an_outage_of_one_model_is_bridged_by_the_other(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock, step: dict[str, Any]
) -> None:
    await vendors.script("openai", step, step)

    answer = await ask(make_gateway())

    assert answer.model == FALLBACK
    assert await models_asked(vendors) == [PRIMARY, PRIMARY, FALLBACK]
    assert len(clock.sleeps) == 1


async def test_an_outage_of_both_ends_after_the_calls_that_a_question_may_cost(
    make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    await vendors.script("openai", {"status": 502}, repeat=True)

    error = await fail(make_gateway(max_calls=5))

    assert isinstance(error, GatewayUnavailable)
    assert await models_asked(vendors) == [PRIMARY] * 3 + [FALLBACK] * 2


async def test_told_to_come_back_later_than_the_budget_a_503_goes_to_the_fallback(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock
) -> None:
    later = {"status": 503, "headers": {"retry-after": "600"}}
    await vendors.script("openai", later)
    assert (await ask(make_gateway())).model == FALLBACK

    await vendors.script("openai", later, later)
    error = await fail(make_gateway())
    assert isinstance(error, GatewayUnavailable)
    assert error.retry_after == timedelta(minutes=10)
    assert clock.sleeps == []


@pytest.mark.parametrize(
    "step",
    [
        {"malformed": True},
        {"empty": True},
        {"content": " \n\t "},
        {"finish_reason": "length"},
        {"finish_reason": "content_filter"},
        {"body": {"choices": []}},
        {"body": {"choices": [None]}},
        {"body": {"choices": [{"message": None}]}},
        {"body": {"choices": [{"message": {"content": 7}}]}},
        {"body": []},
        {"body": "oops"},
    ],
    ids=str,
)
async def test_an_answer_that_is_no_answer_is_billed_and_asked_again(
    make_gateway: MakeGateway, vendors: VendorsClient, step: dict[str, Any]
) -> None:
    await vendors.script("openai", step)
    meter = DetailedMeter()

    answer = await ask(make_gateway(), meter)

    assert answer.text.startswith("## ")
    assert [usage.calls for usage in meter.usages] == [1, 1]
    assert all(usage.tokens_in > 0 and usage.cost_eur > 0 for usage in meter.usages)


@pytest.mark.parametrize(
    "step",
    [
        {"finish_reason": "RECITATION"},
        {"finish_reason": "some_new_reason"},
        {"merge": {"choices": [{"finish_reason": None, "message": {"content": "La moi"}}]}},
        {"merge": {"choices": [{"finish_reason": None, "error": {"code": 502}, "message": {"content": "La moi"}}]}},
        {"merge": {"choices": [{"finish_reason": "stop", "error": {"code": "x"}, "message": {"content": "La moi"}}]}},
        {"merge": {"error": {"message": "the provider failed"}}},
        {"merge": {"choices": [{"finish_reason": "stop", "message": {"content": [{"type": ["text"], "text": "x"}]}}]}},
        {"content": "<think>Je ne sais pas encore."},
        {
            "merge": {
                "choices": [{"finish_reason": "stop", "message": {"content": [{"type": "reasoning", "text": "x"}]}}]
            }
        },
    ],
    ids=str,
)
async def test_what_is_not_known_to_be_whole_is_asked_again(
    make_gateway: MakeGateway, vendors: VendorsClient, step: dict[str, Any]
) -> None:
    await vendors.script("openai", step)

    answer = await ask(make_gateway())

    assert answer.text.startswith("## ")
    assert len(await models_asked(vendors)) == 2


@pytest.mark.parametrize("finish", ["stop", "STOP", "end_turn"])
async def test_what_a_model_thought_is_no_part_of_its_answer(
    make_gateway: MakeGateway, vendors: VendorsClient, finish: str
) -> None:
    thought = {"content": "<think>Pesons le pour.\n</think>\n## Synthèse\n\n<think> est une balise."}
    parts = [{"type": "reasoning", "text": "Pesons"}, {"type": "text", "text": "## Synthèse"}]
    in_parts = {"merge": {"choices": [{"finish_reason": finish, "message": {"content": parts}}]}}
    await vendors.script("openai", thought | {"finish_reason": finish}, in_parts)
    gateway = make_gateway()

    assert (await ask(gateway)).text.strip() == "## Synthèse\n\n<think> est une balise."
    assert (await ask(gateway)).text == "## Synthèse"


async def test_only_unusable_answers_end_as_such(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", {"empty": True}, repeat=True)

    error = await fail(make_gateway())

    assert isinstance(error, GatewayAnswerUnusable)
    assert error.code == "gateway_answer_unusable"
    assert await models_asked(vendors) == [PRIMARY, PRIMARY, FALLBACK, FALLBACK]


async def test_after_a_cut_answer_the_model_gets_more_room(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", {"finish_reason": "length"})

    await ask(make_gateway(max_tokens=1000))

    assert [call["body"]["max_tokens"] for call in await vendors.calls("openai")] == [1000 + ROOM, 2 * (1000 + ROOM)]


async def test_an_answer_in_parts_is_joined(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    parts = [{"type": "text", "text": "Bon"}, {"type": "text", "text": "jour"}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    await vendors.script("openai", {"merge": {"choices": [choice]}})

    assert (await ask(make_gateway())).text == "Bonjour"


@pytest.mark.parametrize("code", [402, "402"])
async def test_an_error_inside_a_200_counts_as_its_own_status(
    code: int | str, make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    await vendors.script("openai", {"body": {"error": {"code": code, "message": "no credit"}}})

    assert isinstance(await fail(make_gateway()), GatewayOutOfCredit)


async def test_a_slow_answer_is_given_up_at_the_time_limit(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", {"delay_ms": 9000})

    error = await fail(make_gateway(call_timeout=0.5, max_calls=1))

    assert isinstance(error, GatewayUnavailable)
    assert "timed out" in str(error)
    await vendors.wait_for("openai", aborted=1)


async def test_nobody_listening_is_an_outage(make_gateway: MakeGateway) -> None:
    assert isinstance(await fail(make_gateway(base_url="http://127.0.0.1:1/v1")), GatewayUnavailable)


async def test_without_a_key_nothing_is_called(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    error = await fail(make_gateway(api_key=None))

    assert isinstance(error, GatewayRejected)
    assert "n'est pas configuré" in error.sentence
    assert await vendors.calls("openai") == []


async def test_a_call_that_cannot_be_made_is_a_fault_of_ours_and_final(clock: FakeClock) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError("Illegal header value")

    http = httpx.AsyncClient(transport=httpx.MockTransport(refuse))
    gateway = ChatGateway(http, GatewaySettings(api_key=KEY), clock=clock)

    assert isinstance(await fail(gateway), GatewayRejected)
    assert clock.sleeps == []


async def test_a_cancelled_question_hangs_up_at_once(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", {"delay_ms": 9000})
    question = asyncio.create_task(ask(make_gateway()))
    await vendors.wait_for("openai", calls=1)

    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question

    (call,) = await vendors.wait_for("openai", aborted=1)
    assert call["status"] is None


async def test_neither_key_nor_prompt_is_ever_logged(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    echo = {"error": {"message": f"{KEY} CANARI", "code": "CANARI tickets", "type": KEY}}
    seen: list[object] = []
    for step in ({"status": 401, "body": echo}, {"status": 500, "body": echo}, {"malformed": True}):
        await vendors.script("openai", step, repeat=True)
        with capture_logs() as logs:
            error = await fail(make_gateway())
        seen += [logs, str(error), error.sentence, repr(error), repr(error.__cause__), repr(error.__context__)]

    assert KEY not in repr(seen)
    assert "CANARI" not in repr(seen)
    assert "model.retried" in repr(seen)


NOT_FOUND = {"error": {"code": "model_not_found", "message": "The model does not exist."}}


class TestCandidates:
    """A tier names several models; those that the gateway no longer has are passed over for a day."""

    @pytest.mark.parametrize(
        "refusal",
        [
            {"status": 404},
            {"status": 410},
            {"status": 400, "body": NOT_FOUND},
            {"status": 400, "body": [NOT_FOUND]},
            {"status": 400, "body": {"error": {"message": f"{PRIMARY} is not a valid model ID", "code": 400}}},
            {"status": 400, "body": {"type": "invalid_request", "message": "This model is deprecated."}},
        ],
        ids=str,
    )
    async def test_a_retired_model_costs_one_call_a_day(
        self, make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock, refusal: dict[str, Any]
    ) -> None:
        await vendors.script("openai", refusal | {"match": PRIMARY}, repeat=True)
        gateway = make_gateway(max_calls=1)

        with capture_logs() as logs:
            answers = [await ask(gateway) for _ in range(3)]
            clock.advance(timedelta(hours=25))
            answers.append(await ask(gateway))

        assert {(answer.model, answer.fallback_used) for answer in answers} == {(FALLBACK, True)}
        assert await models_asked(vendors) == [PRIMARY, FALLBACK, FALLBACK, FALLBACK, PRIMARY, FALLBACK]
        assert [log["model"] for log in logs if log["event"] == "model.retired"] == [PRIMARY, PRIMARY]
        assert gateway.retired_models() == [PRIMARY]

    async def test_a_retired_model_is_written_to_the_journal_once(
        self, vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock
    ) -> None:
        settings = GatewaySettings(
            base_url=f"{vendors.base_url}/openai/v1", api_key=KEY, models_reasoning=f"{PRIMARY},{FALLBACK}"
        )
        journal = FakeJournal()
        gateway = ChatGateway(http, settings, clock=clock, journal=journal)
        await vendors.script("openai", {"match": PRIMARY, "status": 404}, repeat=True)

        for _ in range(2):
            await ask(gateway)

        assert [(level, message, fields["model"]) for level, message, fields in journal.lines] == [
            ("warn", "model.retired", PRIMARY)
        ]

    @pytest.mark.parametrize(
        "error",
        [
            {"param": "reasoning_effort", "message": "Parameter reasoning_effort of this model is not available."},
            {"code": "unsupported_parameter", "message": "This model: reasoning_effort is not available."},
        ],
        ids=str,
    )
    async def test_a_parameter_that_a_model_has_not_retires_no_model(
        self, error: dict[str, str], make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        await vendors.script("openai", {"status": 400, "body": {"error": error}})
        gateway = make_gateway()

        assert (await ask(gateway)).model == PRIMARY
        assert gateway.retired_models() == []

    async def test_a_page_in_the_gateways_place_retires_no_model(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        await vendors.script("openai", {"status": 404, "body": "<html>not found</html>"})
        gateway = make_gateway()

        assert (await ask(gateway)).model == FALLBACK
        assert gateway.retired_models() == []

    async def test_where_all_are_gone_all_are_asked_again(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        gateway = make_gateway()
        await vendors.script("openai", {"status": 404}, {"status": 404})
        assert "ne propose plus le modèle" in (await fail(gateway)).sentence

        assert (await ask(gateway)).model == PRIMARY

    async def test_a_list_is_gone_through_to_its_end(self, make_gateway: MakeGateway, vendors: VendorsClient) -> None:
        gateway = make_gateway(models_reasoning=f"{PRIMARY},{FALLBACK},{THIRD}", max_calls=4)
        await vendors.script(
            "openai", {"match": PRIMARY, "status": 404}, {"match": FALLBACK, "status": 500}, {"status": 500}
        )

        assert (await ask(gateway)).model in {FALLBACK, THIRD}

    @pytest.mark.parametrize(
        ("refused", "then"),
        [
            ("max_tokens", {"max_completion_tokens": 3000 + ROOM, "reasoning_effort": "medium"}),
            ("reasoning_effort", {"max_tokens": 3000 + ROOM}),
            (None, {}),
        ],
    )
    @pytest.mark.parametrize("where", ["param", "message"])
    async def test_a_parameter_that_a_model_refuses_is_left_out_and_remembered(
        self,
        make_gateway: MakeGateway,
        vendors: VendorsClient,
        refused: str | None,
        then: dict[str, Any],
        where: str,
    ) -> None:
        error = {"param": refused} if where == "param" else {"message": f"Unsupported parameter: '{refused}'."}
        await vendors.script("openai", {"status": 400, "body": {"error": {"code": "unsupported_parameter"} | error}})
        gateway = make_gateway(max_calls=1)

        answers = [await ask(gateway), await ask(gateway)]

        assert {answer.model for answer in answers} == {PRIMARY}
        sent = [call["body"] for call in await vendors.calls("openai")]
        assert [{k: v for k, v in body.items() if k not in {"model", "messages"}} for body in sent[1:]] == [then, then]

    async def test_a_request_that_is_refused_whatever_is_left_out_gives_way(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        await vendors.script("openai", {"match": PRIMARY, "status": 400}, {"match": PRIMARY, "status": 400})
        gateway = make_gateway()

        assert (await ask(gateway)).model == FALLBACK
        assert (await ask(gateway)).model == PRIMARY
        assert "max_tokens" in (await vendors.calls("openai"))[-1]["body"]

    async def test_another_model_that_answers_is_named_and_priced_as_itself(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0}
        reply = {"merge": {"model": "gemini-3.5-flash-lite-001", "usage": usage}}
        await vendors.script("openai", reply)
        meter = DetailedMeter()

        with capture_logs() as logs:
            answer = await ask(make_gateway(), meter)

        assert answer.model == "gemini-3.5-flash-lite-001"
        assert [(each.model, each.cost_eur) for each in meter.usages] == [(answer.model, Decimal("0.15"))]
        assert [log["answered"] for log in logs if log["event"] == "model.rerouted"] == [answer.model]

    @pytest.mark.parametrize("alias", ["gemini-3.8-flash", "models/gemini-3.8-flash-001", f"{PRIMARY}-latest", 7, None])
    async def test_a_snapshot_of_a_model_is_the_model(
        self, make_gateway: MakeGateway, vendors: VendorsClient, alias: object
    ) -> None:
        await vendors.script("openai", {"merge": {"model": alias}})

        assert (await ask(make_gateway())).model == PRIMARY

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"details": [{"@type": "RetryInfo", "retryDelay": "39s"}]}},
            [{"error": {"details": [{"retryDelay": "39s"}]}}],
            {"error": {"metadata": {"retry_after": 39}}},
            {"type": "rate_limited", "retry_after_ms": 39_000},
            {"error": {"message": "Rate limit reached. Please try again in 39s."}},
            {"error": {"code": 429, "metadata": {"raw": '{"error": {"message": "retry in 39s"}}'}}},
        ],
        ids=str,
    )
    async def test_a_wait_in_the_body_is_honoured(
        self, make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock, body: object
    ) -> None:
        await vendors.script("openai", {"status": 429, "body": body})

        await ask(make_gateway())

        assert clock.sleeps == [timedelta(seconds=39)]

    async def test_what_the_gateway_does_not_list_is_passed_over(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        gateway = make_gateway(models_reasoning=f"google/gemini-3-pro-preview,{PRIMARY},{FALLBACK}")
        ended = {"id": PRIMARY, "shutdown_date": "2020-01-01"}
        await vendors.script("openai-models", {"merge": {"data": [ended, {"id": FALLBACK, "expiration_date": None}]}})

        await gateway.look_up_models()

        assert (await ask(gateway)).model == FALLBACK
        assert await models_asked(vendors) == [FALLBACK]

    @pytest.mark.parametrize(
        "step",
        [
            {"status": 404},
            {"status": 500},
            {"malformed": True},
            {"close": True},
            {"body": []},
            {"body": {"data": "none"}},
            {"body": {"data": [{"id": "somebody/else"}, None, {"id": 7}]}},
            {"body": {"data": [{"id": FALLBACK}], "has_more": True}},
        ],
        ids=str,
    )
    async def test_a_list_that_proves_nothing_changes_nothing(
        self, make_gateway: MakeGateway, vendors: VendorsClient, step: dict[str, Any]
    ) -> None:
        gateway = make_gateway()
        await vendors.script("openai-models", step)

        await gateway.look_up_models()

        assert gateway.retired_models() == []


class TestBreaker:
    """Each model has its own breaker; only outages open it."""

    @pytest.fixture
    def gateway(self, make_gateway: MakeGateway) -> ChatGateway:
        return make_gateway(breaker_failures=2, breaker_open=60)

    async def test_a_model_out_of_order_is_passed_over(self, gateway: ChatGateway, vendors: VendorsClient) -> None:
        await vendors.script("openai", {"match": PRIMARY, "status": 500}, {"match": PRIMARY, "status": 500})
        await ask(gateway)
        assert gateway.breaker_states()[PRIMARY] == "OPEN"
        await vendors.reset()

        answer = await ask(gateway)

        assert answer.fallback_used
        assert await models_asked(vendors) == [FALLBACK]

    async def test_even_with_a_single_call_to_spend(self, make_gateway: MakeGateway, vendors: VendorsClient) -> None:
        gateway = make_gateway(breaker_failures=1, max_calls=1)
        await vendors.script("openai", {"status": 500})
        await fail(gateway)

        assert (await ask(gateway)).model == FALLBACK

    async def test_with_both_out_of_order_no_call_is_made(
        self, gateway: ChatGateway, vendors: VendorsClient, clock: FakeClock
    ) -> None:
        await vendors.script("openai", *[{"status": 500}] * 4)
        await fail(gateway)
        await vendors.reset()
        clock.advance(timedelta(seconds=20))

        error = await fail(gateway)

        assert isinstance(error, CircuitOpen)
        assert error.retry_after is not None
        assert timedelta(seconds=35) < error.retry_after <= timedelta(seconds=40)
        assert await vendors.calls("openai") == []

    async def test_the_last_answer_is_a_better_reason_than_a_breaker(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        await vendors.script("openai", {"status": 500}, repeat=True)
        error = await fail(make_gateway(breaker_failures=1))

        assert isinstance(error, GatewayUnavailable)
        assert await models_asked(vendors) == [PRIMARY, FALLBACK]

    async def test_a_refusal_is_not_final_while_the_fallback_is_only_out_of_order(
        self, make_gateway: MakeGateway, vendors: VendorsClient
    ) -> None:
        gateway = make_gateway(breaker_failures=1)
        await vendors.script("openai", {"status": 404}, {"match": FALLBACK, "status": 500})
        assert isinstance(await fail(gateway), GatewayUnavailable)

        await vendors.script("openai", {"status": 404})

        assert isinstance(await fail(gateway), CircuitOpen)

    @pytest.mark.parametrize("status", [429, 402, 400, 404])
    async def test_refusals_never_open_it(self, make_gateway: MakeGateway, vendors: VendorsClient, status: int) -> None:
        gateway = make_gateway(breaker_failures=1)
        await vendors.script("openai", {"status": status}, repeat=True)
        await fail(gateway)

        assert set(gateway.breaker_states().values()) == {"CLOSED"}

    @pytest.mark.parametrize("step", [{"status": 402}, {"malformed": True}, {"status": 404}])
    async def test_a_probe_that_is_answered_in_any_way_closes_it(
        self, gateway: ChatGateway, vendors: VendorsClient, clock: FakeClock, step: dict[str, Any]
    ) -> None:
        await vendors.script("openai", {"match": PRIMARY, "status": 500}, {"match": PRIMARY, "status": 500})
        await ask(gateway)
        clock.advance(timedelta(seconds=60))
        assert gateway.breaker_states()[PRIMARY] == "HALF_OPEN"

        await vendors.script("openai", {"match": PRIMARY, **step})
        await asyncio.gather(ask(gateway), return_exceptions=True)

        assert gateway.breaker_states()[PRIMARY] == "CLOSED"

    async def test_a_cancelled_probe_leaves_its_place(
        self, gateway: ChatGateway, vendors: VendorsClient, clock: FakeClock
    ) -> None:
        await vendors.script("openai", {"match": PRIMARY, "status": 500}, {"match": PRIMARY, "status": 500})
        await ask(gateway)
        clock.advance(timedelta(seconds=60))
        await vendors.reset()
        await vendors.script("openai", {"delay_ms": 9000})
        probe = asyncio.create_task(ask(gateway))
        await vendors.wait_for("openai", calls=1)

        assert (await ask(gateway)).model == FALLBACK  # one probe at a time
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)

        assert (await ask(gateway)).model == PRIMARY
        assert gateway.breaker_states()[PRIMARY] == "CLOSED"

    def test_every_candidate_has_a_state(self) -> None:
        gateway = ChatGateway(httpx.AsyncClient(), GatewaySettings(), clock=FakeClock())

        assert set(gateway.breaker_states()) == {model for models in CANDIDATES.values() for model in models}
