"""Questions of one report: a chosen candidate, any but those already asked, and one budget for all failed calls."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from support.clock import FakeClock

from devstack.vendors import VendorsClient
from shared.errors import CircuitOpen, GatewayUnavailable, NoModelLeft
from shared.registry import ModelTier
from workers.gateway.chat import ChatGateway
from workers.ports import Message, Meter, Retries
from workers.settings import GatewaySettings

PROMPT = (Message(role="user", content="Bonjour."),)
FIRST, SECOND = "google/gemini-3.8-flash", "openai/gpt-5.2"
AWAY = {"status": 503}

MakeGateway = Callable[..., ChatGateway]


@pytest.fixture
def make_gateway(vendors: VendorsClient, http: httpx.AsyncClient, clock: FakeClock) -> MakeGateway:
    def make(**settings: Any) -> ChatGateway:
        usual = {
            "base_url": f"{vendors.base_url}/openai/v1",
            "api_key": "sk-canary-0123456789",
            "retry_budget": 60,
            "max_calls": 4,
            "breaker_failures": 10,
            "models_reasoning": f"{FIRST}, {SECOND}",
        }
        return ChatGateway(http, GatewaySettings.model_validate(usual | settings), clock=clock, rng=random.Random(1))

    return make


async def models_asked(vendors: VendorsClient) -> list[str]:
    return [call["body"]["model"] for call in await vendors.calls("openai")]


async def test_a_chosen_candidate_alone_is_asked(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    await vendors.script("openai", AWAY, AWAY, AWAY, AWAY)

    with pytest.raises(GatewayUnavailable):
        await make_gateway().ask(ModelTier.REASONING, PROMPT, meter=Meter(), only=SECOND)

    assert set(await models_asked(vendors)) == {SECOND}


async def test_those_already_asked_are_passed_over(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    answer = await make_gateway().ask(ModelTier.REASONING, PROMPT, meter=Meter(), without={FIRST})

    assert (answer.model, answer.candidate, answer.fallback_used) == (SECOND, SECOND, True)
    assert await models_asked(vendors) == [SECOND]


@pytest.mark.parametrize("choice", [{"without": {FIRST, SECOND}}, {"only": "a/model-of-another-configuration"}])
async def test_without_a_candidate_nothing_is_asked(
    make_gateway: MakeGateway, vendors: VendorsClient, choice: dict[str, Any]
) -> None:
    with pytest.raises(NoModelLeft):
        await make_gateway().ask(ModelTier.REASONING, PROMPT, meter=Meter(), **choice)

    assert await models_asked(vendors) == []


async def test_a_chosen_candidate_whose_breaker_is_open_is_not_asked(
    make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    gateway = make_gateway(breaker_failures=2, breaker_open=300)
    await vendors.script("openai", AWAY, AWAY)
    await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter())

    with pytest.raises(CircuitOpen):
        await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter(), only=FIRST)

    assert await models_asked(vendors) == [FIRST, FIRST, SECOND]


async def test_an_answer_says_which_candidate_was_asked_where_another_model_wrote_it(
    make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    await vendors.script("openai", {"merge": {"model": "google/gemini-3.6-flash"}})

    answer = await make_gateway().ask(ModelTier.REASONING, PROMPT, meter=Meter())

    assert (answer.model, answer.candidate) == ("google/gemini-3.6-flash", FIRST)


async def test_the_questions_of_an_attempt_share_one_budget_of_failed_calls(
    make_gateway: MakeGateway, vendors: VendorsClient
) -> None:
    gateway, retries = make_gateway(), Retries()
    await vendors.script("openai", AWAY, AWAY, {}, AWAY, {}, AWAY)

    for _ in range(2):
        await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter(), retries=retries)
    with pytest.raises(GatewayUnavailable):
        await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter(), retries=retries)

    assert retries.calls == 3
    assert len(await models_asked(vendors)) == 6, "three retries in all, and the last question had one call"


async def test_waiting_counts_for_all_questions(make_gateway: MakeGateway, vendors: VendorsClient) -> None:
    gateway, retries = make_gateway(retry_budget=10), Retries()
    wait = {"status": 429, "headers": {"retry-after": "8"}}
    await vendors.script("openai", wait, {}, wait)

    await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter(), retries=retries)
    with pytest.raises(Exception, match="429"):
        await gateway.ask(ModelTier.REASONING, PROMPT, meter=Meter(), retries=retries)

    assert retries.waited == timedelta(seconds=8)


async def test_no_call_starts_too_late_to_be_answered(
    make_gateway: MakeGateway, vendors: VendorsClient, clock: FakeClock
) -> None:
    await vendors.script("openai", {"status": 429, "headers": {"retry-after": "8"}})
    retries = Retries(last_call_at=clock.monotonic() + 7)

    with pytest.raises(Exception, match="429"):
        await make_gateway().ask(ModelTier.REASONING, PROMPT, meter=Meter(), retries=retries)

    assert len(await models_asked(vendors)) == 1
