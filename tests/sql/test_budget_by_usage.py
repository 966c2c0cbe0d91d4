"""The month's budget ends after as many runs as they truly cost, however the gateway says what a call consumed."""

from decimal import Decimal
from typing import NamedTuple

import pytest
from pydantic import JsonValue
from support.calls import configure, settle, start
from support.database import Database

from workers.outbound.usage import read_usage
from workers.ports import Meter

# Computed by hand from the list of November 2026, dollars per million: 1.50 in, 0.15 from the cache, 7.50 out.
# A dollar is half a euro here.
MODEL = "google/gemini-3.8-flash"
RUNS = 4


class Shape(NamedTuple):
    usage: JsonValue
    eur: str  # what one such call costs
    headers: dict[str, str] = {}  # noqa: RUF012 - never written to
    model: str = MODEL


SHAPES = {
    "OpenAI: tokens alone": Shape(
        {
            "prompt_tokens": 400_000,
            "completion_tokens": 100_000,
            "total_tokens": 500_000,
            "prompt_tokens_details": {"cached_tokens": 200_000},
        },
        "0.54",  # (0.30 + 0.03 + 0.75) / 2
    ),
    "OpenRouter: its cost": Shape({"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}, "0.25"),
    "OpenRouter with keys of one's own": Shape(
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "cost": 0.02,
            "is_byok": True,
            "cost_details": {"upstream_inference_cost": 0.5},
        },
        "0.26",
    ),
    "OpenRouter with keys of one's own, its fee waived": Shape(
        {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, "0.25"
    ),
    "LiteLLM: a header": Shape(
        {"prompt_tokens": 10, "completion_tokens": 5}, "0.25", {"x-litellm-response-cost": "0.5"}
    ),
    "LiteLLM that does not know": Shape(
        {"prompt_tokens": 400_000, "completion_tokens": 100_000}, "0.675", {"x-litellm-response-cost": "0.0"}
    ),
    "Gemini: thoughts in the total alone": Shape(
        {"prompt_tokens": 100_000, "completion_tokens": 20_000, "total_tokens": 200_000}, "0.45"
    ),
    "Perplexity: an object": Shape(
        {"prompt_tokens": 10, "completion_tokens": 5, "cost": {"total_cost": 0.5}}, "0.25", model="sonar-pro"
    ),
    "a gateway that says nothing": Shape(None, "0.075"),  # 200,000 characters sent, 40,000 written: (0.075 + 0.075) / 2
    "a gateway that says that it was free": Shape(
        {"prompt_tokens": 400_000, "completion_tokens": 100_000, "cost": 0}, "0.675"
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_budget_ends_after_as_many_runs_as_they_cost(shape: Shape, database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": float(Decimal(shape.eur) * RUNS)})
    held = []

    for _ in range(RUNS):
        meter = Meter()
        meter.add(
            read_usage(
                {"usage": shape.usage},
                shape.headers,
                model=shape.model,
                eur_per_usd=Decimal("0.5"),
                prompt_chars=200_000,
                answer_chars=40_000,
            )
        )
        held.append(database.one("select hq.read_hold() as hold")["hold"])
        usage = [bill.model_dump(mode="json") for bill in meter.bills]
        settle(database.sql, start(database, force=True), usage=usage)

    assert held == [None] * RUNS
    assert database.one("select hq.read_hold() as hold")["hold"] == "budget_exhausted"
    assert database.one("select month_cost_eur from hq.budget_state()")["month_cost_eur"] == Decimal(shape.eur) * RUNS


def test_what_is_free_holds_nothing_up(database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 0.01})
    free = read_usage(
        {"usage": {"prompt_tokens": 400_000, "completion_tokens": 100_000, "cost": 0}},
        {},
        model="maker/small-model:free",
        eur_per_usd=Decimal("0.5"),
        prompt_chars=1,
        answer_chars=1,
    )

    settle(database.sql, start(database), usage=[free.model_dump(mode="json")])

    assert database.one("select hq.read_hold() as hold")["hold"] is None
