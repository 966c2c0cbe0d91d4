"""What a call consumed, read from the answers of different gateways."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.language_models import CANDIDATES, DEAREST, PRICES
from shared.registry import ModelTier
from workers.outbound.usage import read_usage
from workers.ports import Meter, Usage

TOKENS: dict[str, JsonValue] = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}
FLASH = "google/gemini-2.5-flash"


def read(usage: JsonValue, *, model: str = FLASH, headers: dict[str, str] | None = None) -> Usage:
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
        ({"cost": 0}, {"x-litellm-response-cost": "0.25"}),
        ({"cost": 0, "cost_usd": 0.25}, {}),
    ],
)
def test_a_cost_that_is_told_is_taken(cost: dict[str, JsonValue], headers: dict[str, str]) -> None:
    usage = read(TOKENS | cost, headers=headers)

    assert (usage.cost_eur, usage.estimated) == (Decimal("0.125"), False)


@pytest.mark.parametrize(
    ("cost", "headers"), [(0, {}), (0.0, {}), ("0", {}), (None, {"x-litellm-response-cost": "0.0"})]
)
def test_a_cost_of_nothing_is_not_believed_of_a_model_that_has_a_price(
    cost: JsonValue, headers: dict[str, str]
) -> None:
    assert read(TOKENS | {"cost": cost}, headers=headers) == read(TOKENS)
    assert read(TOKENS).cost_eur > 0


def test_a_model_that_is_listed_as_free_costs_nothing_and_is_no_estimate() -> None:
    usage = read(TOKENS | {"cost": 0}, model="maker/small-model:free")

    assert (usage.cost_eur, usage.estimated) == (Decimal(0), False)


@pytest.mark.parametrize(
    ("stated", "dollars"),
    [
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}, "0.25"),
        ({"cost": 0.0125, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}, "0.2625"),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 0.25}}, "0.25"),
        # Not with keys of one's own: the charge holds it already.
        ({"cost": 0.25, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.24}}, "0.25"),
        ({"cost": 0.25, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, "0.25"),
    ],
)
def test_with_keys_of_ones_own_the_maker_s_charge_counts(stated: dict[str, JsonValue], dollars: str) -> None:
    usage = read(TOKENS | stated)

    assert (usage.cost_eur, usage.estimated) == (Decimal(dollars) / 2, False)


@pytest.mark.parametrize(
    ("stated", "tokens"),
    [
        # OpenAI: both details are parts of the counts.
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 40},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            (100, 50, 40, 30),
        ),
        # The same by the newer names.
        (
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "input_tokens_details": {"cached_tokens": 40},
                "output_tokens_details": {"reasoning_tokens": 30},
            },
            (100, 50, 40, 30),
        ),
        # LiteLLM adds Anthropic's name beside its own counts, which hold it.
        ({"prompt_tokens": 100, "completion_tokens": 50, "cache_read_input_tokens": 40}, (100, 50, 40, 0)),
        # Anthropic: what the cache gave or took is beside the input.
        (
            {
                "input_tokens": 20,
                "output_tokens": 50,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 40,
            },
            (100, 50, 40, 0),
        ),
        # DeepSeek, and makers that follow Moonshot.
        ({"prompt_tokens": 100, "completion_tokens": 50, "prompt_cache_hit_tokens": 40}, (100, 50, 40, 0)),
        ({"prompt_tokens": 100, "completion_tokens": 50, "cached_tokens": 40}, (100, 50, 40, 0)),
        # Google's compatible endpoint: thoughts in the total alone.
        ({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 450}, (100, 350, 0, 300)),
        # A gateway that counts thoughts beside the answer, without a total.
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 1000,
                "completion_tokens_details": {"reasoning_tokens": 3000},
            },
            (100, 4000, 0, 3000),
        ),
        # Perplexity's reasoning models.
        ({"prompt_tokens": 100, "completion_tokens": 50, "reasoning_tokens": 300}, (100, 350, 0, 300)),
    ],
)
def test_tokens_are_counted_whatever_a_gateway_calls_them(
    stated: dict[str, JsonValue], tokens: tuple[int, int, int, int]
) -> None:
    usage = read(stated)

    assert (usage.tokens_in, usage.tokens_out, usage.tokens_cached, usage.tokens_reasoning) == tokens


def test_a_fee_per_call_is_part_of_the_estimate() -> None:
    listed = PRICES[FLASH]
    usage = read_usage(
        {"usage": TOKENS},
        {},
        model=FLASH,
        eur_per_usd=Decimal("0.5"),
        prompt_chars=0,
        answer_chars=0,
        price=listed._replace(per_call=Decimal("0.02")),
    )

    assert usage.cost_eur == read(TOKENS).cost_eur + Decimal("0.01")


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


def test_every_candidate_has_a_price() -> None:
    assert [model for models in CANDIDATES.values() for model in models if model not in PRICES] == []


def test_no_tier_stands_on_one_family_of_models() -> None:
    families = {tier: {model.partition("/")[0] for model in models} for tier, models in CANDIDATES.items()}

    assert [tier for tier, makers in families.items() if tier is not ModelTier.SUMMARY and len(makers) < 2] == []


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
def test_whatever_a_gateway_sends_amounts_are_finite_and_never_negative(usage: JsonValue) -> None:
    read_back = read(usage)

    assert read_back.cost_eur.is_finite()
    assert read_back.cost_eur >= 0
    assert min(read_back.tokens_in, read_back.tokens_out, read_back.tokens_reasoning) >= 0
    assert 0 <= read_back.tokens_cached <= read_back.tokens_in


def test_a_meter_adds_up_what_each_model_billed() -> None:
    meter = Meter()
    for model, cost in (("one", "0.1"), ("two", "0.2"), ("one", "0.3")):
        meter.add(Usage(model=model, calls=1, cost_eur=Decimal(cost)))

    assert [(usage.model, usage.calls, usage.cost_eur) for usage in meter.bills] == [
        ("two", 1, Decimal("0.2")),
        ("one", 2, Decimal("0.4")),
    ]
    assert (meter.total.model, meter.total.calls, meter.total.cost_eur) == ("one", 3, Decimal("0.6"))
