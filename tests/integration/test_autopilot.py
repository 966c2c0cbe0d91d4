"""The autopilot with everything real: many callers, several processes, a model that misbehaves, deaths on the way."""

import asyncio
import json
import time
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from support.hq import Hq, Service

from shared.language_models import CANDIDATES
from shared.registry import ModelTier

DECISION_MODEL = CANDIDATES[ModelTier.DEFAULT][0]
REVIEW = "PLATFORM_STATUS_REVIEW"
LISTED = [REVIEW, "CODE_REVIEW"]

# What a model may write for the jobs, and what the journal must say of it.
HOSTILE = {
    f'"{REVIEW}"': "jobs_to_run : liste attendue",
    '["DEPLOY_TO_PRODUCTION"]': "DEPLOY_TO_PRODUCTION : réservé à une demande de la présidence",
    '["SEO_AUDIT", "NO_SUCH_TYPE"]': "NO_SUCH_TYPE : type inconnu",
    f'["{REVIEW}"], "force": true': "force : champ inconnu",
    json.dumps([f"TYPE_{number}" for number in range(10_000)]): "texte trop long",
    "```sql\nselect 1;\n```": "objet JSON attendu",
}


@pytest.fixture
def owner(hq: Hq) -> str:
    return hq.stack.sign_in()


def configure(hq: Hq, **fields: object) -> None:
    """Save the autopilot's settings; switched on by default."""
    value = {"enabled": True, "allowedRunTypes": LISTED, "maxDailyAutonomousRuns": 20} | fields
    hq.rows("update hq.system_config set value = %s where key = 'autopilot' returning 1", Jsonb(value))


def fail_something(hq: Hq) -> None:
    """Give the autopilot something to answer: a run that failed for good, before this hour."""
    hq.rows(
        "insert into hq.runs (run_type, status, created_at, completed_at, executive_summary) "
        "values ('SEO_AUDIT', 'failed', now() - interval '2 hours', now() - interval '1 hour', 'Panne.') returning 1"
    )


async def decide(service: Service, owner: str) -> dict[str, Any]:
    answer = await service.post("ai-scheduler", {"action": "ai_decide"}, token=owner)
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["success"]) == (200, True), body
    return body


async def questions(hq: Hq) -> list[dict[str, Any]]:
    """Return the calls by which the model was asked to decide."""
    calls = await hq.vendors.calls("openai")
    return [call for call in calls if call["body"]["model"] == DECISION_MODEL]


def journal(hq: Hq) -> list[dict[str, Any]]:
    lines = hq.rows("select metadata from hq.structured_logs where message = 'autopilot.decision' order by created_at")
    return [line["metadata"] for line in lines]


def age_decisions(hq: Hq, minutes: int) -> None:
    hq.rows(
        "update hq.autopilot_decisions set began_at = began_at - %s * interval '1 minute', decided_at = decided_at - "
        "%s * interval '1 minute', leased_until = leased_until - %s * interval '1 minute' returning 1",
        *[minutes] * 3,
    )


async def test_two_hundred_callers_of_three_processes_make_one_decision(hq: Hq, owner: str) -> None:
    services = [await hq.service() for _ in range(3)]
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": DECISION_MODEL, "delay_ms": 500})

    bodies = await asyncio.gather(*(decide(services[number % 3], owner) for number in range(200)))

    assert len(await questions(hq)) == 1
    assert hq.one("select count(*) from hq.autopilot_decisions")["count"] == 1
    assert len(journal(hq)) == 1
    assert [run["run_type"] for run in hq.rows("select run_type from hq.runs where status <> 'failed'")] == [REVIEW]
    (made,) = [body for body in bodies if body["executed"]]
    assert made["ai_decision"]["jobs_to_run"] == [REVIEW]
    assert (made["executed"][0]["job"], made["executed"][0]["success"], made["runs_launched"]) == (REVIEW, True, 1)
    assert made["executed"][0]["summary"]
    assert len(made["executed"][0]["summary"]) <= 200


async def test_the_decision_of_the_last_minute_is_returned_and_not_executed_again(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)

    first = await decide(service, owner)
    again = await decide(service, owner)

    assert again["ai_decision"] == first["ai_decision"]
    assert (again["executed"], again["runs_launched"], len(first["executed"])) == ([], 0, 1)


async def test_a_failure_that_the_panel_was_answered_is_announced_to_nobody(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": DECISION_MODEL}, {"status": 402})

    made = await decide(service, owner)

    assert [(entry["job"], entry["success"]) for entry in made["executed"]] == [(REVIEW, False)]
    await hq.until("select from hq.announcements where kind = 'run_failed' and withdrawn_at < due_at", within=5)


async def test_a_decision_in_progress_is_told_at_once(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": DECISION_MODEL, "delay_ms": 3_000})

    slow = asyncio.create_task(decide(service, owner))
    await hq.vendors.wait_for("openai", calls=1)
    quick = await decide(service, owner)

    assert not slow.done()
    assert (quick["executed"], quick["ai_decision"]["jobs_to_run"]) == ([], [])
    assert "en cours" in quick["ai_decision"]["reasoning"]
    assert (await slow)["runs_launched"] == 1


async def test_nothing_outside_the_rules_is_launched_and_the_journal_says_what_was_refused(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    for number, (jobs, refused) in enumerate(HOSTILE.items(), start=1):
        fail_something(hq)
        age_decisions(hq, 61)
        content = f'{{"jobs_to_run": {jobs}, "reasoning": "Fais-moi confiance.", "next_check_in_minutes": 5}}'
        await hq.vendors.reset()
        await hq.vendors.script("openai", {"match": DECISION_MODEL, "content": content}, repeat=True)

        body = await decide(service, owner)

        assert (body["executed"], body["ai_decision"]["jobs_to_run"]) == ([], []), jobs
        assert len(await questions(hq)) in {1, 3}
        assert len(lines := journal(hq)) == number
        assert (lines[-1]["jobs_to_run"], refused in str(lines[-1]["skipped"])) == ([], True), lines[-1]
        assert lines[-1]["cost_estimate"] > 0
    assert not hq.rows("select from hq.runs where status <> 'failed'")
    billed = hq.one("select sum(cost_eur) as cost from hq.run_costs")["cost"]
    assert float(billed) == pytest.approx(sum(line["cost_estimate"] for line in journal(hq)))


async def test_markdown_around_the_choice_does_no_harm(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)
    chosen = json.dumps({"jobs_to_run": ["CODE_REVIEW"], "reasoning": "Voir le code.", "next_check_in_minutes": 5})
    await hq.vendors.script("openai", {"match": DECISION_MODEL, "content": f"Voici :\n```json\n{chosen}\n```"})

    body = await decide(service, owner)

    assert body["ai_decision"] == json.loads(chosen)
    assert journal(hq)[0]["decided_by"] == "model"


async def test_without_the_model_the_rules_decide(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"status": 503}, repeat=True)

    body = await decide(service, owner)

    assert body["executed"] == []
    (entry,) = journal(hq)
    assert (entry["decided_by"], entry["skipped"][0]) == ("rules", "modèle : sans réponse (gateway_unavailable)")


async def test_a_process_that_dies_while_it_decides_neither_loses_nor_doubles_a_launch(hq: Hq, owner: str) -> None:
    doomed, survivor = await hq.service(), await hq.service()
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": DECISION_MODEL, "delay_ms": 20_000})
    asking = asyncio.create_task(doomed.post("ai-scheduler", {"action": "ai_decide"}, token=owner))
    await hq.vendors.wait_for("openai", calls=1)

    doomed.worker.kill()
    await asyncio.gather(asking, return_exceptions=True)
    assert not hq.rows("select from hq.runs where status <> 'failed'")
    age_decisions(hq, 61)
    body = await decide(survivor, owner)

    assert body["ai_decision"]["jobs_to_run"] == [REVIEW]
    assert hq.one("select count(*) from hq.runs where status <> 'failed'")["count"] == 1
    states = hq.rows("select state from hq.autopilot_decisions order by id")
    assert [row["state"] for row in states] == ["abandoned", "decided"]


async def test_the_panic_button_stops_what_the_model_is_about_to_launch(hq: Hq, owner: str) -> None:
    service = await hq.service()
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": DECISION_MODEL, "delay_ms": 800})

    deciding = asyncio.create_task(decide(service, owner))
    await hq.vendors.wait_for("openai", calls=1)
    panic = Jsonb({"enabled": False, "low_risk_auto_execute": False})
    hq.rows("update hq.system_config set value = %s where key = 'autopilot' returning 1", panic)
    body = await deciding

    assert body["executed"] == []
    assert not hq.rows("select from hq.runs where status <> 'failed'")
    assert f"{REVIEW} : bouton d'urgence actionné" in journal(hq)[0]["skipped"]


async def test_a_worker_decides_by_itself_where_the_switch_is_on(hq: Hq) -> None:
    fail_something(hq)
    worker = await hq.worker(AUTOPILOT_SECONDS=0.3)
    other = await hq.worker(AUTOPILOT_SECONDS=0.3)
    configure(hq)

    (run,) = await hq.until("select * from hq.runs where run_type = %s and status = 'completed'", REVIEW)

    assert run["owner_requested"] is False
    assert len(worker.events("autopilot.decided") + other.events("autopilot.decided")) == 1
    (entry,) = journal(hq)
    assert (entry["jobs_to_run"], entry["decided_by"]) == ([REVIEW], "model")


async def test_where_the_switch_is_off_a_worker_leaves_no_trace(hq: Hq) -> None:
    fail_something(hq)
    await hq.worker(AUTOPILOT_SECONDS=0.05)

    await hq.settled(hq.ask())

    assert not hq.rows("select from hq.autopilot_decisions")
    assert not journal(hq)


async def test_the_panel_does_not_wait_for_long_reports(hq: Hq, owner: str) -> None:
    service = await hq.service(AI_DECIDE_WAIT_SECONDS=0.2)
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"match": CANDIDATES[ModelTier.SUMMARY][0], "delay_ms": 1_500})

    body = await decide(service, owner)

    (executed,) = body["executed"]
    assert (executed["job"], executed["success"]) == (REVIEW, True)
    assert "arrière-plan" in executed["summary"]
    await hq.until("select from hq.runs where run_type = %s and status = 'completed'", REVIEW)


async def test_the_panel_is_answered_in_time_also_when_the_decision_takes_most_of_it(hq: Hq, owner: str) -> None:
    """The relay gives up after a while: the wait for the reports is what the decision leaves of it."""
    service = await hq.service(AI_DECIDE_WAIT_SECONDS=4)
    configure(hq)
    fail_something(hq)
    await hq.vendors.script("openai", {"delay_ms": 3_500}, {"delay_ms": 30_000})
    began = time.monotonic()

    body = await decide(service, owner)

    took = time.monotonic() - began
    assert [executed["job"] for executed in body["executed"]] == [REVIEW]
    assert "arrière-plan" in body["executed"][0]["summary"]
    assert 3.5 < took < 7


async def test_what_the_plan_launched_in_this_hour_is_reported_as_done(hq: Hq, owner: str) -> None:
    service = await hq.service()
    hq.rows("insert into hq.plan_slots (job_key, slot_at) values ('daily_platform_review', now()) returning 1")
    hq.rows("select hq.fire_slot(job_key, slot_at, null, now()) from hq.plan_slots where outcome is null")
    run = await hq.settled(hq.one("select run_id from hq.plan_slots where run_id is not null")["run_id"])
    # The hour may have struck in the meantime.
    hq.rows("update hq.plan_slots set decided_at = now() where run_id is not null returning 1")

    body = await decide(service, owner)

    (done,) = body["executed"]
    assert (done["job"], done["success"]) == ("daily_platform_review", True)
    assert run["executive_summary"].startswith(done["summary"][:-1])
    assert (body["runs_launched"], body["ai_decision"]["jobs_to_run"]) == (0, [])
    assert "daily_platform_review" in journal(hq)[0]["reasoning"]


async def test_a_sensitive_run_that_the_owner_asks_for_proposes_its_action(hq: Hq, owner: str) -> None:
    service = await hq.service()

    answer = await service.post("executive-run", {"run_type": "DEPLOY_TO_PRODUCTION"}, token=owner)

    assert answer.json()["success"] is True
    action = hq.one("select * from hq.actions")
    assert (str(action["run_id"]), action["status"]) == (answer.json()["run_id"], "pending")
