"""The scheduler's panel and the job trigger, by HTTP, with everything real."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from support.hq import Hq
from support.plan import let_a_slot_come

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
    assert {job["key"] for job in before["jobs"]} == set(JOBS)
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


async def test_what_an_operator_changes_is_shown_at_once(hq: Hq, owner: str) -> None:
    service = await hq.service()
    now = datetime.now(TIME_ZONE)
    change = "update hq.scheduled_jobs set hours = array[%s::integer], weekdays = '{1,2,3,4,5,6,7}' where key = %s"
    hq.rows(f"{change} returning 1", now.hour, JOB)
    hq.rows("update hq.scheduled_jobs set enabled = false where key = 'daily_brief' returning 1")

    for name, action in (("ai-scheduler", "status"), ("scheduled-runs", "status"), ("scheduled-runs", "list")):
        listed = (await service.post(name, {"action": action}, token=owner)).json()["jobs"]
        jobs = {job["key"]: job for job in listed}
        assert jobs[JOB]["cronExpression"] == f"0 {now.hour} * * *"
        assert (jobs[JOB]["enabled"], jobs["daily_brief"]["enabled"]) == (True, False)
        if action == "status":
            # An hour that October repeats came the first time.
            assert (jobs[JOB]["isDueNow"], jobs["daily_brief"]["isDueNow"]) == (not now.fold, False)

    await service.post("ai-scheduler", {"action": "execute", "job_key": JOB}, token=owner)
    listed = (await service.post("ai-scheduler", {"action": "status"}, token=owner)).json()["jobs"]
    assert [job["isDueNow"] for job in listed if job["key"] == JOB] == [False]


async def test_a_job_that_is_switched_off_is_not_executed_by_the_older_screens(hq: Hq, owner: str) -> None:
    service = await hq.service()
    hq.rows("update hq.scheduled_jobs set enabled = false returning 1")

    for key in ("daily_brief", "morning_digest"):
        answer = await service.post("scheduled-runs", {"action": "execute", "job_key": key}, token=owner)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_request")
        assert "désactivée" in answer.json()["error"]
    assert not hq.rows("select from hq.runs")


async def _let_a_slot_come(hq: Hq) -> None:
    """Let one come when the worker has had its first look."""
    await hq.settled(hq.ask())
    hq.rows("delete from hq.runs returning 1")
    let_a_slot_come(hq.database, JOB)


async def test_cron_triggers_what_is_due_once_whoever_else_looks(hq: Hq) -> None:
    service = await hq.service(CRON_SECRET=SECRET)
    await _let_a_slot_come(hq)
    headers = {"x-cron-secret": SECRET}

    answers = await asyncio.gather(
        *(service.post("scheduled-runs", {"action": "cron_trigger"}, headers=headers) for _ in range(8))
    )
    hq.rows("select * from public.enqueue_due_hq_runs()")

    assert {(answer.status_code, answer.json()["success"]) for answer in answers} == {(200, True)}
    (done,) = [done for answer in answers for done in answer.json()["executed"]]
    (run,) = hq.rows("select * from hq.runs")
    assert (done["job"], done["success"], done["result"]["run_id"]) == (JOB, True, str(run["id"]))
    assert (run["run_type"], run["owner_requested"]) == (TYPE, False)
    assert (await hq.settled(run["id"]))["status"] == "completed"


async def test_cron_tells_why_a_slot_was_skipped(hq: Hq) -> None:
    service = await hq.service(CRON_SECRET=SECRET)
    await _let_a_slot_come(hq)
    hq.one("select hq.pause_runs()")

    answer = await service.post("scheduled-runs", {"action": "cron_trigger"}, headers={"x-cron-secret": SECRET})

    (done,) = answer.json()["executed"]
    assert (done["job"], done["success"]) == (JOB, False)
    assert "pause" in done["error"]


async def test_a_worker_fires_the_plan_where_nobody_else_does(hq: Hq) -> None:
    await hq.worker(PLAN_SECONDS=0.2)
    await _let_a_slot_come(hq)

    (run,) = await hq.until("select * from hq.runs")

    assert (await hq.settled(run["id"]))["status"] == "completed"
    (asked,) = hq.rows("select * from hq.run_requests")
    assert (asked["trigger"], asked["requester"]) == ("schedule", "plan")
    assert len(hq.rows("select from hq.plan_slots where outcome = 'fired'")) == 1


async def test_a_pause_lets_nothing_start_until_it_ends(hq: Hq, owner: str) -> None:
    service = await hq.service()
    hq.one("select hq.pause_runs()")

    asked = [hq.ask(), hq.ask()]
    by_screen = await service.post("executive-run", {"run_type": "SEO_AUDIT"}, token=owner)
    by_panel = await service.post("ai-scheduler", {"action": "execute", "job_key": JOB}, token=owner)
    while_paused = {row["status"] for row in hq.rows("select status from hq.runs")}
    hq.one("select hq.resume_runs()")

    assert while_paused == {"pending"}
    for answer in (by_screen, by_panel):
        assert (answer.status_code, answer.json()["status"], answer.json()["paused"]) == (202, "pending", True)
        assert "pause" in answer.json()["executive_summary"]
    for run_id in [*asked, *(UUID(answer.json()["run_id"]) for answer in (by_screen, by_panel))]:
        assert (await hq.settled(run_id))["status"] == "completed"


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
