"""The scheduler's panel and the job trigger, by HTTP, with everything real."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from support.hq import Hq

from shared.registry import JOBS, TIME_ZONE

JOB = "daily_platform_review"
TYPE = JOBS[JOB].run_type
SECRET = "a-secret-of-cron"
JOB_FIELDS = {"key", "name", "runType", "description", "schedule", "priority", "enabled", "cronExpression"}


@pytest.fixture
def owner(hq: Hq) -> str:
    return hq.stack.sign_in()


async def test_the_panel_shows_every_job_and_only_finished_runs(hq: Hq, owner: str) -> None:
    service = await hq.service()
    before = (await service.post("ai-scheduler", {"action": "status"}, token=owner)).json()
    ended = await service.post("ai-scheduler", {"action": "execute", "job_key": JOB}, token=owner)
    hq.rows("insert into hq.runs (run_type, status, started_at) values (%s, 'running', now()) returning 1", TYPE)

    after = (await service.post("ai-scheduler", {"action": "status"}, token=owner)).json()

    assert (before["success"], before["timezone"]) == (True, "Europe/Paris")
    assert [job["key"] for job in before["jobs"]] == list(JOBS)
    assert all(set(job) == JOB_FIELDS | {"isDueNow", "lastRun"} for job in before["jobs"])
    assert {job["lastRun"] for job in before["jobs"]} == {None}
    (last,) = [job["lastRun"] for job in after["jobs"] if job["key"] == JOB]
    assert (last["id"], last["status"]) == (ended.json()["run_id"], "completed")
    assert datetime.fromisoformat(last["completedAt"]) <= datetime.now(UTC)


async def test_a_job_is_executed_by_hand_under_any_of_its_names(hq: Hq, owner: str) -> None:
    service = await hq.service()

    by_panel = await service.post("ai-scheduler", {"action": "execute", "job_key": JOB}, token=owner)
    by_screen = await service.post("scheduled-runs", {"action": "execute", "job_key": "morning_digest"}, token=owner)

    for answer, run_type in ((by_panel, TYPE), (by_screen, "DAILY_EXECUTIVE_BRIEF")):
        body = answer.json()
        assert (answer.status_code, body["success"], body["job"]["runType"]) == (200, True, run_type)
        run = hq.run(UUID(body["run_id"]))
        assert (run["status"], run["executive_summary"]) == ("completed", body["executive_summary"])
    contexts = [row["context"] for row in hq.rows("select context from hq.run_requests order by created_at")]
    assert contexts[0] == {"triggered_by": "manual", "job_key": JOB}


async def test_a_job_that_fails_answers_the_status_of_its_fault(hq: Hq, owner: str) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", {"status": 402}, repeat=True)

    for name in ("ai-scheduler", "scheduled-runs"):
        answer = await service.post(name, {"action": "execute", "job_key": JOB}, token=owner)
        assert (answer.status_code, answer.json()["error_code"]) == (402, "gateway_out_of_credit")


async def test_a_long_job_goes_on_behind_its_answer(hq: Hq, owner: str) -> None:
    service = await hq.service(RUN_WAIT_SECONDS=0.2)
    await hq.vendors.script("openai", default_delay_ms=600)

    answer = await service.post("ai-scheduler", {"action": "execute", "job_key": JOB}, token=owner)

    assert (answer.status_code, answer.json()["status"]) == (202, "running")
    assert (await hq.settled(UUID(answer.json()["run_id"])))["status"] == "completed"


async def test_where_the_autopilot_is_off_a_decision_adds_nothing_and_is_journalled_once(hq: Hq, owner: str) -> None:
    service = await hq.service()

    answers = await asyncio.gather(
        *(service.post("ai-scheduler", {"action": "ai_decide"}, token=owner) for _ in range(8))
    )

    for body in (answer.json() for answer in answers):
        assert (body["success"], body["executed"], body["runs_launched"]) == (True, [], 0)
        assert body["ai_decision"]["jobs_to_run"] == []
    (line,) = hq.rows("select * from hq.structured_logs where message = 'autopilot.decision'")
    assert line["source"] == "autopilot"
    assert line["metadata"]["reasoning"] in {answer.json()["ai_decision"]["reasoning"] for answer in answers}
    assert not hq.rows("select from hq.runs")
    assert await hq.model_calls() == 0


async def test_what_nobody_can_answer_is_refused(hq: Hq, owner: str) -> None:
    service = await hq.service()
    viewer = hq.stack.mint_token(sub="00000000-0000-4000-8000-000000000002")
    refused: list[tuple[object, str | None, int]] = [
        ({"action": "status"}, None, 401),
        ({"action": "status"}, hq.stack.service_role_key, 401),
        ({"action": "status"}, viewer, 403),
        ({"action": "dance"}, owner, 400),
        ({"action": 5}, owner, 400),
        (None, owner, 400),
        ([], owner, 400),
        ({"action": "execute"}, owner, 400),
        ({"action": "execute", "job_key": "toString"}, owner, 404),
    ]

    for body, token, status in refused:
        for name in ("ai-scheduler", "scheduled-runs"):
            answer = await service.post(name, body, token=token)
            assert (answer.status_code, answer.json()["success"]) == (status, False), (name, body)
    assert not hq.rows("select from hq.runs")


async def test_the_older_screens_list_the_same_jobs(hq: Hq, owner: str) -> None:
    service = await hq.service()

    listed = (await service.post("scheduled-runs", {"action": "list"}, token=owner)).json()
    states = (await service.post("scheduled-runs", {"action": "status"}, token=owner)).json()

    assert (listed["success"], listed["timezone"]) == (True, "Europe/Paris")
    assert all(set(job) == JOB_FIELDS for job in listed["jobs"])
    assert [job["key"] for job in states["jobs"]] == [job["key"] for job in listed["jobs"]]
    assert {job["lastRun"] for job in states["jobs"]} == {None}


async def test_cron_triggers_what_is_due_once_for_each_hour(hq: Hq) -> None:
    service = await hq.service(CRON_SECRET=SECRET)
    now = datetime.now(TIME_ZONE)
    due = [job.key for job in JOBS.values() if job.calendar.covers(now)]
    headers = {"x-cron-secret": SECRET}

    answers = [await service.post("scheduled-runs", {"action": "cron_trigger"}, headers=headers) for _ in range(2)]

    for answer in answers:
        assert (answer.status_code, [done["job"] for done in answer.json()["executed"]]) == (200, due)
    assert hq.one("select count(*) from hq.runs")["count"] == len(due)


@pytest.mark.parametrize("given", [None, "", "wrong", SECRET + "x", SECRET[:-1]])
async def test_cron_without_the_secret_is_refused(hq: Hq, owner: str, given: str | None) -> None:
    service = await hq.service(CRON_SECRET=SECRET)
    headers = {} if given is None else {"x-cron-secret": given}

    answer = await service.post("scheduled-runs", {"action": "cron_trigger"}, token=owner, headers=headers)

    assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


async def test_where_no_secret_is_set_nobody_triggers(hq: Hq, owner: str) -> None:
    service = await hq.service(CRON_SECRET="")

    for headers in ({}, {"x-cron-secret": ""}, {"x-cron-secret": "None"}):
        answer = await service.post("scheduled-runs", {"action": "cron_trigger"}, token=owner, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "cron_not_configured")


async def test_a_type_that_nobody_knows_is_told_in_the_journal(hq: Hq, owner: str) -> None:
    service = await hq.service()

    await service.post("executive-run", {"run_type": "AGENT_TASK"}, token=owner)

    (line,) = hq.rows("select * from hq.structured_logs where message = 'run.refused'")
    assert (line["level"], line["metadata"]["run_type"]) == ("warn", "AGENT_TASK")
