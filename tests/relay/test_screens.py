"""What a browser is answered: supabase-js hides the body of every answer but a 200 from the page."""

import re
import time
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.page import HEADERS, WORDS, Toast, choose_toast
from support.running_relay import Relay, StartRelay
from support.scripted_server import SILENCE, Heard, ScriptedServer, answer

from devstack.functions import FUNCTIONS
from shared.errors import WorkersError

LAUNCH = {"run_type": "DAILY_EXECUTIVE_BRIEF"}

# Each action of which a screen reads `error`.
HEARD = [
    ("executive-run", LAUNCH),
    ("ai-scheduler", {"action": "execute", "job_key": "daily"}),
    ("scheduled-runs", {"action": "execute", "job_key": "daily"}),
    ("stripe-kpis", {}),
]
UNHEARD = [
    ("ai-scheduler", {"action": "status"}),
    ("ai-scheduler", {"action": "ai_decide"}),
    ("ai-scheduler", ["execute"]),
    ("scheduled-runs", {"action": "cron_trigger"}),
    ("check-api-status", {}),
    ("platform-monitor", {}),
]

# A toast of the page's own words where they are true; for everything else the sentence itself.
TOAST_OF_CODE = {
    "unauthenticated": Toast.SESSION_EXPIRED,
    "forbidden": Toast.NOT_PERMITTED,
    "rate_limited": Toast.LIMIT_REACHED,
    "gateway_rate_limited": Toast.LIMIT_REACHED,
    "gateway_unavailable": Toast.MODEL_DOWN,
    "breaker_open": Toast.MODEL_DOWN,
    "gateway_out_of_credit": Toast.SENTENCE,
    "gateway_rejected": Toast.SENTENCE,
    "gateway_answer_unusable": Toast.SENTENCE,
    "report_unusable": Toast.SENTENCE,
    "backend": Toast.SENTENCE,
    "backend_unavailable": Toast.SENTENCE,
    "backend_rejected": Toast.SENTENCE,
    "invalid_request": Toast.SENTENCE,
    "unknown_run_type": Toast.SENTENCE,
    "unknown_platform": Toast.SENTENCE,
    "context_too_large": Toast.SENTENCE,
    "idempotency_key_reused": Toast.SENTENCE,
    "queue_held": Toast.SENTENCE,
    "body_too_large": Toast.SENTENCE,
    "wrong_method": Toast.SENTENCE,
    "run_timed_out": Toast.SENTENCE,
    "cron_not_configured": Toast.SENTENCE,
    "push_not_configured": Toast.SENTENCE,
    "internal_error": Toast.SENTENCE,
}
TOAST_OF_STATUS = {
    401: Toast.SESSION_EXPIRED,
    403: Toast.NOT_PERMITTED,
    429: Toast.LIMIT_REACHED,
    503: Toast.MODEL_DOWN,
}


def _expect_toast(status: int, code: object) -> Toast:
    by_status = TOAST_OF_STATUS.get(status, Toast.SENTENCE)
    return TOAST_OF_CODE.get(code, by_status) if isinstance(code, str) else by_status


def _every_error(of: type[WorkersError] = WorkersError) -> list[type[WorkersError]]:
    return [of, *(deeper for one in of.__subclasses__() for deeper in _every_error(one))]


def _check_sentence(error: str) -> None:
    assert re.fullmatch(r"[A-ZÉ][^\d]+\.", error), "one sentence, no figure"
    assert not re.search(r"\b[0-9a-f]{8}\b", error), "no id"
    assert len({toast for word, toast in WORDS if word in error}) <= 1, "one toast and no other"


# Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("function", "body"), HEARD)
async def test_an_error_becomes_a_200_that_the_screen_reads(
    relay: Relay, upstream: ScriptedServer, function: str, body: dict[str, str]
) -> None:
    upstream.script(answer(429, {"error": "30 demandes", "error_code": "rate_limited"}, retry_after="9"))

    response = await relay.post(function, json=body, headers=HEADERS)

    assert response.status_code == 200
    assert response.headers["x-relay-status"] == "429"
    assert response.headers["retry-after"] == "9"
    assert response.headers["content-type"] == "application/json"
    assert "x-relay-status" in response.headers["access-control-expose-headers"]
    assert response.json() == {
        "success": False,
        "error": "Limite de demandes atteinte\N{NO-BREAK SPACE}: patientez quelques minutes, puis relancez.",
        "error_code": "rate_limited",
        "http_status": 429,
    }


@pytest.mark.parametrize(("function", "body"), UNHEARD)
async def test_where_no_screen_reads_it_an_error_keeps_its_status(
    relay: Relay, upstream: ScriptedServer, function: str, body: Any
) -> None:
    upstream.script(answer(402, {"error": "Crédits IA insuffisants"}))

    response = await relay.post(function, json=body, headers=HEADERS)

    assert (response.status_code, response.json()) == (402, {"error": "Crédits IA insuffisants"})
    assert "x-relay-status" not in response.headers


@pytest.mark.parametrize(("function", "body"), HEARD)
@pytest.mark.parametrize("status", [202, 403])
async def test_other_clients_get_the_status(
    relay: Relay, upstream: ScriptedServer, function: str, body: dict[str, str], status: int
) -> None:
    upstream.script(answer(status, {"as": "given"}))

    response = await relay.post(function, json=body)

    assert (response.status_code, response.json()) == (status, {"as": "given"})
    assert "x-relay-status" not in response.headers


@pytest.mark.parametrize("switch", ["0", "false", "off", "no", "OFF"])
@pytest.mark.parametrize("status", [202, 403])
async def test_the_switch_gives_browsers_the_status_too(
    start_relay: StartRelay, upstream: ScriptedServer, switch: str, status: int
) -> None:
    upstream.script(answer(status, {"as": "given"}))

    response = await start_relay(RELAY_ERRORS_AS_200=switch).post("executive-run", json=LAUNCH, headers=HEADERS)

    assert (response.status_code, response.json()) == (status, {"as": "given"})


@pytest.mark.parametrize("size", [300 * 1024, 6])
async def test_what_the_relay_refuses_itself_is_said_likewise(
    start_relay: StartRelay, size: int, upstream: ScriptedServer
) -> None:
    relay = start_relay(workers_url="http://127.0.0.1:1")

    response = await relay.post("executive-run", content=b"{" * size, headers=HEADERS)

    reported = response.json()
    code = "invalid_request" if size == 6 else "body_too_large"
    assert (response.status_code, reported["error_code"]) == (200, code)
    assert response.headers["x-relay-status"] == str(reported["http_status"]) == ("400" if size == 6 else "413")
    _check_sentence(reported["error"])
    assert not upstream.heard


@pytest.mark.parametrize(("function", "body"), HEARD)
@pytest.mark.parametrize(("status", "cue"), [(401, "(Authorization)"), (503, "(unavailable)")])
async def test_what_only_the_page_reads_is_said_to_a_launch_only(
    relay: Relay, upstream: ScriptedServer, function: str, body: dict[str, str], status: int, cue: str
) -> None:
    upstream.script(answer(status, {"error": "…"}))

    sentence = (await relay.post(function, json=body, headers=HEADERS)).json()["error"]

    assert (cue in sentence) == (function == "executive-run")
    assert "  " not in sentence
    assert re.search(r"\w\)?\N{NO-BREAK SPACE}: \w", sentence)


@pytest.mark.parametrize("status", [402, 409, 503, 504])
async def test_of_earnings_nothing_is_said_that_is_about_runs_or_the_model(
    relay: Relay, upstream: ScriptedServer, status: int
) -> None:
    upstream.script(answer(status, {"error": "…"}))

    response = await relay.post("stripe-kpis", headers=HEADERS)

    assert (response.status_code, response.headers["x-relay-status"]) == (200, str(status))
    assert response.json()["success"] is False
    assert response.json()["error"].startswith("Les chiffres ne peuvent pas être lus pour le moment")


async def test_a_page_of_earnings_reads_a_sentence_while_the_workers_are_away(start_relay: StartRelay) -> None:
    response = await start_relay(workers_url="http://127.0.0.1:1").post("stripe-kpis", headers=HEADERS)

    assert (response.status_code, response.json()["error_code"]) == (200, "workers_silent")
    assert response.json()["error"].startswith("Les chiffres ne peuvent pas être lus pour le moment")


async def test_a_page_of_platforms_keeps_the_status_it_branches_on(start_relay: StartRelay) -> None:
    """Its handler of answers would break on a 200 without a summary."""
    response = await start_relay(workers_url="http://127.0.0.1:1").post("platform-monitor", headers=HEADERS)

    assert response.status_code == 503


async def test_a_report_is_left_as_it_is(relay: Relay, upstream: ScriptedServer) -> None:
    report = {"success": True, "run_type": "CODE_REVIEW", "executive_summary": "## 401 lignes revues"}
    upstream.script(answer(200, report))

    response = await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    assert response.json() == report
    assert "x-relay-status" not in response.headers


# A run that goes on ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "beginning"),
    [
        ("running", "Le run continue en arrière-plan\N{NO-BREAK SPACE}; "),
        ("pending", "La demande est enregistrée\N{NO-BREAK SPACE}; "),
        ("completed", "Ce run est déjà terminé\N{NO-BREAK SPACE}; "),
        ("failed", "Ce run est déjà terminé\N{NO-BREAK SPACE}; "),
        (None, "Le run continue en arrière-plan\N{NO-BREAK SPACE}; "),
    ],
)
async def test_a_run_that_goes_on_is_not_shown_as_finished(
    relay: Relay, upstream: ScriptedServer, progress: str | None, beginning: str
) -> None:
    run = {"run_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "run_type": "CODE_REVIEW"}
    upstream.script(answer(202, {"success": True, "status": progress, "executive_summary": "…"} | run))

    response = await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    reported = response.json()
    assert (response.status_code, response.headers["x-relay-status"]) == (200, "202")
    assert reported.pop("error").startswith(beginning)
    assert reported == {"success": False, "error_code": "run_accepted", "http_status": 202} | run
    _check_sentence(response.json()["error"])
    assert choose_toast(response.json()["error"]) is Toast.SENTENCE


@pytest.mark.parametrize(("paused", "is_told"), [(True, True), (False, False), ("true", False), (None, False)])
async def test_whoever_asks_during_a_pause_is_told_so(
    relay: Relay, upstream: ScriptedServer, paused: object, *, is_told: bool
) -> None:
    upstream.script(answer(202, {"success": True, "status": "pending", "paused": paused, "executive_summary": "…"}))

    response = await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    sentence = response.json()["error"]
    assert ("en pause" in sentence) == is_told
    _check_sentence(sentence)
    assert choose_toast(sentence) is Toast.SENTENCE


# The time of an answer ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 500])
async def test_a_launch_is_held_until_the_button_is_ready(
    start_relay: StartRelay, upstream: ScriptedServer, status: int
) -> None:
    relay = start_relay(RELAY_MIN_MS=None)
    upstream.script(answer(status))

    began = time.monotonic()
    await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    assert time.monotonic() - began >= 1.6


async def test_nothing_else_is_held(start_relay: StartRelay) -> None:
    relay = start_relay(RELAY_MIN_MS=60_000)

    await relay.options("executive-run", headers=HEADERS)
    await relay.get("executive-run", headers=HEADERS)
    await relay.post("executive-run", json=LAUNCH)
    await relay.post("ai-scheduler", json={"action": "execute"}, headers=HEADERS)


async def test_the_wait_for_the_workers_counts(start_relay: StartRelay, upstream: ScriptedServer) -> None:
    relay = start_relay(RELAY_MIN_MS=3000, RELAY_TIMEOUT_MS=2500)
    upstream.script(SILENCE)

    began = time.monotonic()
    await relay.post("executive-run", json=LAUNCH, headers=HEADERS)

    assert 3 <= time.monotonic() - began < 5


# Toasts ---------------------------------------------------------------------------------------------------------


async def test_every_error_of_ours_gets_the_intended_toast_at_every_status(
    relay: Relay, upstream: ScriptedServer
) -> None:
    codes = sorted({error.code for error in _every_error()} | TOAST_OF_CODE.keys())
    usual = [(error.http_status, error.code) for error in _every_error()]
    statuses = [400, 401, 402, 403, 404, 405, 409, 413, 418, 422, 429, 500, 502, 503, 504, 599]
    cases = [*usual, *product(statuses, codes), *product(range(400, 600), [None])]
    upstream.script(*(answer(status, {"error": "boom 500", "error_code": code}) for status, code in cases))

    for status, code in cases:
        reported = (await relay.post("executive-run", json=LAUNCH, headers=HEADERS)).json()

        _check_sentence(reported["error"])
        assert reported["http_status"] == status
        assert choose_toast(reported["error"]) is _expect_toast(status, code), (status, code, reported["error"])
        if code is not None:
            assert reported["error_code"] == code


def test_every_error_of_ours_has_a_toast_that_is_true_of_it() -> None:
    """Only where the model is away may the page say so; only a caller's own limit, right or session are called that."""
    for error in _every_error():
        toast = _expect_toast(error.http_status, error.code)
        assert (toast is Toast.SESSION_EXPIRED) == (error.http_status == 401), error
        assert (toast is Toast.NOT_PERMITTED) == (error.http_status == 403), error
        assert (toast is Toast.LIMIT_REACHED) == (error.http_status == 429), error
        assert (toast is Toast.MODEL_DOWN) == (error.code in {"gateway", "gateway_unavailable", "breaker_open"}), error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
STRANGE_CODES = JSON | st.sampled_from(["401", "constructor", "__proto__", "Limite", "403 Permissions", "x" * 65])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(status=st.integers(400, 599), code=STRANGE_CODES, error=JSON)
async def test_nothing_that_somebody_else_wrote_reaches_a_screen(
    relay: Relay, upstream: ScriptedServer, status: int, code: Any, error: Any
) -> None:
    def fail(_: Heard) -> bytes:
        return answer(status, {"error": error, "error_code": code, "stack": error})

    upstream.usual = fail

    reported = (await relay.post("executive-run", json=LAUNCH, headers=HEADERS)).json()

    assert reported.keys() == {"success", "error", "error_code", "http_status"}
    _check_sentence(reported["error"])
    assert choose_toast(reported["error"]) is _expect_toast(status, code)
    assert re.fullmatch(r"[a-z_]{1,64}", reported["error_code"])


def test_every_sentence_of_the_relay_is_a_sentence() -> None:
    source = (FUNCTIONS / "_shared" / "relay.ts").read_text()

    sentences = re.findall(r'"([A-ZÀ-Ý][^"]* [^"]*\.)"', source)

    assert len(sentences) >= 20
    for sentence in sentences:
        _check_sentence(sentence)
