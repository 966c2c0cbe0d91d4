"""As an operator would: with nothing but the SQL editor and the French guide, beside one real worker."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.database import Database
from support.hq import Hq, open_hq

REPORT = "('PLATFORM_STATUS_REVIEW', 'emotionscare')"
REFUSED_KEY = {"status": 401, "body": {"error": {"message": "invalid api key"}}}


@pytest.fixture(params=["seed_hq", "head_hq"])
async def console(
    request: pytest.FixtureRequest, clone: Callable[[str], Database], tmp_path: Path
) -> AsyncIterator[Hq]:
    """Sit down in front of the editor, on each schema of the host; one worker lives."""
    async with open_hq(clone(str(request.param)), tmp_path) as hq:
        await hq.worker()
        yield hq


def _launch(console: Hq) -> UUID:
    run_id: UUID = console.one(f"select * from hq.request_run{REPORT}")["run_id"]
    return run_id


async def _ended(console: Hq, run_id: UUID, how: str) -> list[str]:
    """Wait for the end in the timeline, and return its events."""
    await console.until("select from hq.timeline(%s) where quoi = 'fin' and detail like %s", run_id, f"{how}%")
    return [line["quoi"] for line in console.rows("select * from hq.timeline(%s)", run_id)]


def _health(console: Hq, check: str) -> str:
    state: str = console.one("select etat from hq.health where controle = %s", check)["etat"]
    return state


async def test_launching_observing_and_reading_the_costs(console: Hq) -> None:
    await console.until("select from hq.workers where etat = 'vivant' and charge like '0/%%'")
    assert _health(console, "Ouvriers") == "green"

    run_id = _launch(console)
    story = await _ended(console, run_id, "completed")

    assert story[0] == "demande"
    assert story[-1] == "fin"
    assert {"prise", "étape", "coût", "rapport"} <= set(story)
    assert console.rows("select * from hq.queue") == []
    (cost,) = console.rows("select * from hq.costs_by_platform")
    assert (cost["plateforme"], cost["executions"]) == ("emotionscare", 1)
    assert cost["cout_eur"] > 0


async def test_pausing_and_resuming(console: Hq) -> None:
    console.one("select hq.pause_runs('travaux')")
    run_id = _launch(console)
    waiting = console.one("select * from hq.queue")
    paused = _health(console, "Pause")
    console.one("select hq.resume_runs()")

    assert (waiting["execution"], waiting["etat"], paused) == (run_id, "en pause", "amber")
    await _ended(console, run_id, "completed")
    assert _health(console, "Pause") == "green"


async def test_cancelling_what_the_model_is_busy_with(console: Hq) -> None:
    await console.vendors.script("openai", {"delay_ms": 30_000})
    run_id = _launch(console)
    await console.vendors.wait_for("openai", calls=1)
    assert console.one("select etat from hq.queue") == {"etat": "en cours"}

    said = console.one("select hq.cancel_run(%s) as said", run_id)["said"]

    assert said == "L'exécution est annulée."
    assert "annulation" in await _ended(console, run_id, "cancelled")
    assert console.rows("select * from hq.queue") == []
    await console.vendors.wait_for("openai", aborted=1)


async def test_finding_the_cause_of_a_failure_mending_it_and_trying_again(console: Hq) -> None:
    keeps_letters = console.one("select to_regclass('hq.runs_dlq') is not null as there")["there"]
    await console.vendors.script("openai", REFUSED_KEY, repeat=True)
    run_id = _launch(console)

    (failure,) = await console.until("select * from hq.failures")
    story = console.rows("select * from hq.timeline(%s)", run_id)

    assert (failure["execution"], failure["code"], failure["plateforme"]) == (
        run_id,
        "gateway_rejected",
        "emotionscare",
    )
    assert "LOVABLE_API_KEY" in failure["que_faire"]
    assert "401" in failure["cause_technique"]
    assert any(line["quoi"] == "échec" and "gateway_rejected" in line["detail"] for line in story)
    assert [_health(console, check) for check in ("Échecs", "Lettres mortes")] == [
        "amber",
        "amber" if keeps_letters else "green",
    ]

    await console.vendors.reset()
    retried: dict[str, Any] = console.one("select * from hq.retry_run(%s)", run_id)
    assert retried["created"]
    await _ended(console, retried["run_id"], "completed")
    assert console.one("select relance from hq.failures")["relance"] == "completed"
    assert _health(console, "Lettres mortes") == "green"
    if keeps_letters:
        letter = console.one("select * from hq.runs_dlq")
        assert (letter["original_run_id"], letter["status"], letter["attempts"]) == (run_id, "recovered", 1)
