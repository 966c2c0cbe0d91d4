"""The main job: somebody asks, a worker does the work, and the unchanged screens show what it found."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from realtime import RealtimePostgresChangesListenEvent
from support.database import OWNER, Database
from support.hq import Hq, open_hq, read_rows, signed_in

from shared.language_models import CANDIDATES
from shared.registry import ModelTier

BRIEF = "DAILY_EXECUTIVE_BRIEF"
STEPS = ["Collecte", "Rédaction de la demande", "Rapport du modèle", "Enregistrement"]
# The metadata that the screens read, whatever the event.
METADATA = {"run_id", "run_type", "platform_key", "trigger", "model_used", "duration_ms", "cost_estimate", "attempt"}


@pytest.mark.parametrize("variant", ["seed", "head"])
async def test_a_requested_brief_becomes_a_report_that_the_president_reads(
    variant: str, clone: Callable[[str], Database], tmp_path: Path
) -> None:
    async with open_hq(clone(f"{variant}_hq"), tmp_path) as hq:
        await hq.worker()
        run_id = hq.ask(BRIEF)
        assert (await hq.settled(run_id))["status"] == "completed", hq.explain()

        async with signed_in(hq) as president:
            recent = read_rows(await president.rpc("get_hq_recent_runs", {"limit_count": 5}).execute())
            logs = read_rows(await president.rpc("get_hq_logs", {"limit_count": 50}).execute())

        (run,) = [line for line in recent if line["id"] == str(run_id)]
        assert run["status"] == "completed"
        assert run["executive_summary"].startswith(
            "Données incomplètes · Brief Exécutif Quotidien · toute l'entreprise"
        )
        assert "\n\n## Synthèse\n\n" in run["executive_summary"]
        assert "EmotionsCare" in run["executive_summary"]
        assert run["started_at"] < run["completed_at"]
        appendix = run["detailed_appendix"]
        assert appendix["model_used"] == CANDIDATES[ModelTier.REASONING][0]
        assert appendix["data_sources"] == ["Base du QG", "GitHub API", "Stripe", "Lovable AI Gateway"]
        assert appendix["fallback_used"] is False
        story = [line for line in reversed(logs) if line["run_id"] == str(run_id)]
        assert [line["message"] for line in story] == ["run.started", "run.completed"]
        assert all(set(line["metadata"]) >= METADATA for line in story)
        source = "executive-run" if variant == "head" else "edge_function"
        assert {line["source"] for line in story} == {source}


async def test_a_report_comes_with_its_steps_its_evidence_and_its_bill(hq: Hq) -> None:
    await hq.worker()

    run_id = hq.ask(BRIEF)
    run = await hq.settled(run_id)

    steps = hq.steps(run_id)
    assert [step["name"] for step in steps] == STEPS
    assert {step["status"] for step in steps} == {"completed"}
    assert all(run["started_at"] <= step["started_at"] <= step["completed_at"] for step in steps)
    evidence = hq.rows("select evidence_type, source_url, data from hq.run_evidence where run_id = %s", run_id)
    kinds = [row["evidence_type"] for row in evidence]
    assert (kinds.count("platforms"), kinds.count("github")) == (1, 7)
    assert all(
        row["source_url"].startswith("https://github.com/") for row in evidence if row["evidence_type"] == "github"
    )
    bill = hq.one("select * from hq.run_costs where run_id = %s", run_id)
    assert (bill["model"], bill["calls"], bill["estimated"]) == (CANDIDATES[ModelTier.REASONING][0], 1, False)
    assert bill["cost_eur"] > 0
    assert Decimal(str(run["detailed_appendix"]["cost_estimate"])) == bill["cost_eur"]
    assert not hq.rows("select from hq.run_queue")


async def test_a_source_that_cannot_be_read_is_named_and_its_data_are_not_invented(hq: Hq) -> None:
    await hq.worker(GITHUB_TOKEN="")
    await hq.vendors.script("github", {"status": 401}, repeat=True)

    run_id = hq.ask("PLATFORM_STATUS_REVIEW")
    run = await hq.settled(run_id)

    assert run["status"] == "completed"
    assert "GitHub" in run["executive_summary"].partition("Données manquantes")[2]
    assert run["detailed_appendix"]["data_sources"] == ["Base du QG", "Lovable AI Gateway"]
    assert hq.rows("select from hq.run_evidence where run_id = %s and evidence_type = 'gap'", run_id)
    (call,) = await hq.vendors.calls("openai")
    question = call["body"]["messages"][1]["content"]
    assert "\n- GitHub : GitHub n'est pas configuré" in question.partition("Données manquantes :")[2]


async def test_the_screens_hear_of_a_run_through_realtime(hq: Hq) -> None:
    """They refetch on any event of hq.runs; which, they do not read."""
    await hq.worker()
    heard: asyncio.Queue[str] = asyncio.Queue()
    subscribed = asyncio.Event()

    async with asyncio.timeout(10), signed_in(hq) as president:
        channel = president.channel("hq-runs").on_postgres_changes(
            RealtimePostgresChangesListenEvent.All,
            lambda payload: heard.put_nowait((payload["data"]["record"] or {})["status"]),
            schema="hq",
            table="runs",
        )
        channel.on_system(lambda _: subscribed.set())
        await channel.subscribe()
        await subscribed.wait()
        hq.ask("PLATFORM_STATUS_REVIEW")
        statuses = [await heard.get() for _ in range(3)]

    assert statuses == ["pending", "running", "completed"]


async def test_the_presidents_own_request_is_done_like_any_other(hq: Hq) -> None:
    await hq.worker()

    async with signed_in(hq) as president:
        request = {"p_run_type": BRIEF, "p_platform_key": "nearvity", "p_context": {"focus": "rétention"}}
        (ticket,) = read_rows(await president.rpc("request_hq_run", request).execute())
    run = await hq.settled(ticket["run_id"])

    assert run["status"] == "completed"
    assert run["owner_requested"]
    assert hq.one("select requester from hq.run_requests")["requester"] == str(OWNER)
    question = (await hq.vendors.calls("openai"))[0]["body"]["messages"][1]["content"]
    assert "Plateforme concernée : NEARVITY" in question
    assert "rétention" in question
