"""The journal shows the screens what happened, and nobody a secret."""

import json
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from pydantic import JsonValue
from supabase import AsyncClientOptions, acreate_client
from support.secrets import secrets

from workers.backend.journal import SupabaseJournal
from workers.logs import never_show

KEY = "sb_secret_0123456789abcdef"


async def _call_of(message: str, metadata: dict[str, JsonValue]) -> dict[str, Any]:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return httpx.Response(204)  # as PostgREST does for a function that returns void

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = await acreate_client("http://supabase.test", KEY, AsyncClientOptions(httpx_client=http))
        with structlog.testing.capture_logs() as logs:
            await SupabaseJournal(client).write("warn", "autopilot", message, metadata)
    assert logs == []
    (body,) = sent
    call: dict[str, Any] = json.loads(body)
    return call


async def _what_is_sent(metadata: dict[str, JsonValue]) -> dict[str, object]:
    sent: dict[str, object] = (await _call_of("autopilot.decision", metadata))["p_metadata"]
    return sent


@given(secrets)
async def test_no_secret_is_written_to_the_journal(secret: str) -> None:
    sent = await _what_is_sent({"reasoning": f"as {secret} said", "jobs_to_run": [secret], "run_type": "SEO_AUDIT"})

    assert secret not in json.dumps(sent)
    assert sent["run_type"] == "SEO_AUDIT"


async def test_what_is_no_secret_is_written_as_it_is() -> None:
    metadata: dict[str, JsonValue] = {"reasoning": "Rien à lancer.", "jobs_to_run": ["a", "b"], "duration_ms": 12}

    assert await _what_is_sent(metadata) == metadata


async def test_the_value_of_a_key_is_written_neither_in_the_message_nor_beside_it() -> None:
    key = "odd~key/of=no^known-shape"
    never_show([key])

    call = await _call_of(f"refused: {key}", {"reason": f"key {key}", "all": [key]})

    assert key not in json.dumps(call)
    assert call["p_message"] == "refused: [redacted]"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json=[{"id": 1}]),
        httpx.Response(200, text="<html>Sign in</html>"),
        httpx.Response(404, json={"code": "PGRST202", "message": "no such function"}),
    ],
)
async def test_an_event_that_was_not_written_is_logged_instead(answer: httpx.Response) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as http:
        client = await acreate_client("http://supabase.test", KEY, AsyncClientOptions(httpx_client=http))
        with structlog.testing.capture_logs() as logs:
            await SupabaseJournal(client).write("info", "autopilot", "autopilot.decision", {})

    assert [(line["event"], line["message"]) for line in logs] == [("journal.failed", "autopilot.decision")]
