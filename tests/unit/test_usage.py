"""What a call consumed, read from the answers of different gateways."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.registry import ModelTier
from workers.outbound.usage import DEAREST, PRICES, read_usage
from workers.ports import Usage

TOKENS = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}
FLASH = "google/gemini-2.5-flash"


def read(usage: object, *, model: str = FLASH, headers: dict[str, str] | None = None) -> Usage:
    return read_usage(
        {"usage": usage},
        headers or {},
        model=model,
        eur_per_usd=Decimal("0.5"),
        prompt_chars=400,
        answer_chars=80,
    )


@pytest.mark.parametrize(
    ("cost", "headers"),
    [
        ({"cost": 0.25}, {}),
        ({"cost": "0.25"}, {}),
        ({"cost": {"total_cost": 0.25}}, {}),
        ({"cost_usd_total": 0.25}, {}),
        ({"cost_usd": 0.25}, {}),
        ({"cost_eur": 0.125, "cost": 99}, {}),
        ({}, {"x-litellm-response-cost": "0.25"}),
        ({"cost": "a lot"}, {"x-litellm-response-cost": "2.5e-1"}),
    ],
)
def test_a_cost_that_is_told_is_taken(cost: dict[str, Any], headers: dict[str, str]) -> None:
    usage = read(TOKENS | cost, headers=headers)

    assert (usage.cost_eur, usage.estimated) == (Decimal("0.125"), False)


def test_a_free_answer_costs_nothing_and_is_no_estimate() -> None:
    usage = read(TOKENS | {"cost": 0})

    assert (usage.cost_eur, usage.estimated) == (0, False)


def test_without_a_cost_the_list_price_gives_a_marked_estimate() -> None:
    usage = read(TOKENS | {"prompt_tokens_details": {"cached_tokens": 500_000}})

    # Half a million fresh at 0.30, as much from the cache at 0.03, 100,000 written at 2.50; half a euro per dollar.
    assert usage.cost_eur == Decimal("0.2075")
    assert usage.estimated


def test_an_unknown_model_is_estimated_as_the_dearest() -> None:
    assert read(TOKENS, model="nobody/knows-it").cost_eur == read(TOKENS, model="openai/gpt-5.2").cost_eur
    assert PRICES["openai/gpt-5.2"] == DEAREST


def test_thoughts_counted_in_the_total_alone_are_output() -> None:
    usage = read({"prompt_tokens": 758, "completion_tokens": 102, "total_tokens": 1725})

    assert (usage.tokens_out, usage.tokens_reasoning) == (967, 865)


def test_more_cached_than_sent_is_not_believed() -> None:
    usage = read({"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 900}})

    assert usage.tokens_cached == 10


def test_without_any_count_lengths_give_a_marked_estimate() -> None:
    usage = read(None)

    assert (usage.tokens_in, usage.tokens_out, usage.estimated) == (100, 20, True)
    assert usage.cost_eur > 0


def test_every_model_of_the_registry_has_a_price() -> None:
    assert set(PRICES) == {tier.model for tier in ModelTier}


NUMBERS = st.integers() | st.floats() | st.text(max_size=8) | st.none() | st.booleans()
ODD_USAGE = st.dictionaries(
    st.sampled_from(
        ["prompt_tokens", "completion_tokens", "total_tokens", "cost", "cost_eur", "prompt_tokens_details"]
    ),
    NUMBERS | st.dictionaries(st.sampled_from(["cached_tokens", "total_cost"]), NUMBERS),
)


@example({"cost": 1.7e308})
@example({"cost_eur": 10**40})
@example({"prompt_tokens": 10**40, "completion_tokens": 1})
@given(ODD_USAGE | NUMBERS | st.lists(NUMBERS))
def test_whatever_a_gateway_sends_amounts_are_finite_and_never_negative(usage: object) -> None:
    read_back = read(usage)

    assert read_back.cost_eur.is_finite()
    assert min(read_back.cost_eur, read_back.tokens_in, read_back.tokens_out, read_back.tokens_reasoning) >= 0
    assert 0 <= read_back.tokens_cached <= read_back.tokens_in
