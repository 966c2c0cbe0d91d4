"""How long refusals of many vendors ask to wait, each in the shape in which that vendor writes it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.outbound import RETRY_AFTER_CAP
from workers.outbound.waits import read_wait

GOOGLE: dict[str, Any] = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota.\nPlease retry in 39.5s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39s"}],
    }
}


def openai(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "tokens", "param": None, "code": "rate_limit_exceeded"}}


def openrouter(raw: str) -> dict[str, Any]:
    metadata = {"raw": raw, "provider_name": "BaseTen"}
    return {"error": {"message": "Provider returned error", "code": 429, "metadata": metadata}}


LIMIT = "Rate limit reached for m in organization o on tokens per min (TPM): Limit 30000, Used 14567, Requested 24754."


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        pytest.param(GOOGLE, 39, id="Google, in a field"),
        pytest.param([GOOGLE], 39, id="Google, in a list"),
        pytest.param({"error": {"message": GOOGLE["error"]["message"]}}, 39.5, id="Google, in words alone"),
        pytest.param(openai(f"{LIMIT} Please try again in 20s. Visit the page of limits."), 20, id="OpenAI"),
        pytest.param(openai(f"{LIMIT} Please try again in 18.642s."), 18.642, id="OpenAI, a fraction"),
        pytest.param(openai(f"{LIMIT} Please try again in 850ms."), 0.85, id="OpenAI, milliseconds"),
        pytest.param(openai(f"{LIMIT} Please try again in 1m30s."), 90, id="OpenAI, minutes"),
        pytest.param(openai("Limit 100, Used 100. Please try again in 1h2m3.5s."), 3_723.5, id="Groq"),
        pytest.param({"error": {"message": "Retry in 1m30s"}}, 90, id="a bare retry"),
        pytest.param({"error": {"message": "Please retry after 26 seconds."}}, 26, id="Azure"),
        pytest.param({"error": {"message": "Try again in 1 minute and 30 seconds"}}, 90, id="words throughout"),
        pytest.param({"message": "Retry in 850 milliseconds"}, 0.85, id="milliseconds in words"),
        pytest.param({"message": "wait for about 2 minutes,\n please"}, 120, id="broken lines"),
        pytest.param({"detail": [{"msg": "Try again later in 3 hours"}]}, 10_800, id="FastAPI"),
        pytest.param({"error": "Rate limit exceeded, please retry after 37s, resets at Thu"}, 37, id="Firecrawl"),
        pytest.param({"type": "rate_limited", "retry_after_ms": 850}, 0.85, id="a field of milliseconds"),
        pytest.param({"error": {"metadata": {"retry-after": "1m5s"}}}, 65, id="a field with units"),
        pytest.param({"retry_after_seconds": 12}, 12, id="a field of seconds"),
        pytest.param(openrouter(json.dumps(GOOGLE)), 39, id="OpenRouter over Google"),
        pytest.param(openrouter(json.dumps(openai("Please try again in 850ms"))), 0.85, id="OpenRouter over OpenAI"),
        pytest.param(openrouter(json.dumps(GOOGLE, indent=2)[:-12]), 39, id="OpenRouter over a cut error"),
        pytest.param(openrouter(json.dumps(json.dumps(GOOGLE))), 39, id="OpenRouter over OpenRouter"),
        pytest.param(openrouter('{"retry_after_ms": 1500}'), 1.5, id="OpenRouter over milliseconds"),
        pytest.param(openrouter("m is rate-limited upstream. Please retry in 7 s"), 7, id="OpenRouter, a sentence"),
        pytest.param({"error": {"message": f"RateLimitError: {json.dumps(GOOGLE)}"}}, 39, id="LiteLLM over Google"),
        pytest.param({"error": {"message": "Retry-After: 20"}}, 20, id="a quoted header"),
    ],
)
def test_the_wait_is_read_wherever_it_stands(body: Any, seconds: float) -> None:
    assert read_wait(body) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "busy",
        openrouter("m is temporarily rate-limited upstream. Please retry shortly."),
        openrouter("error code: 1015"),
        openai(LIMIT),
        openai("Limit 20 requests per 1m. Try again later."),
        {"error": {"message": "Retry up to 3 times, or 5 more"}},
        {"error": {"message": "Try again in 3 attempts, or retry in 5 mangoes"}},
        {"retry_after": True},
        {"retry_after": "soon"},
        {"retry_after": -3},
        {"retry_after": [9] * 3},
        {"retry_after": float("nan")},
        pytest.param({"error": {"message": "x " * 5_000 + "try again in 20s"}}, id="beyond what is searched of a text"),
        pytest.param([{}] * 40 + [{"retry_after": 5}], id="beyond what is searched of a list"),
        pytest.param([[[[[[[[[[{"retry_after": 5}]]]]]]]]]], id="too deep"),
    ],
    ids=repr,
)
def test_where_no_wait_is_stated_none_is_read(body: Any) -> None:
    assert read_wait(body) is None


@pytest.mark.parametrize("message", ["Try again in 7 days", "retry after 999999999 hours", "retry_after: 999999999"])
def test_a_wait_is_bounded(message: str) -> None:
    assert read_wait({"error": {"message": message}}) == RETRY_AFTER_CAP


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["retry in 9", '{"retryDelay":']),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["retry_after", "retryDelay"]), inner),
)


@given(JSON)
def test_whatever_the_body_a_wait_is_lawful(body: Any) -> None:
    wait = read_wait(body)

    assert wait is None or timedelta(0) <= wait <= RETRY_AFTER_CAP
