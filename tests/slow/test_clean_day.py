"""A day on which nothing goes wrong, in a minute: everything that workers do, again and again, and no alarm.

Who is warned of what did not happen reads no warning any more.
"""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from support.autopilot import age_decisions, configure, fail_run
from support.hq import Hq, Service
from support.plan import EVERY_DAY, EVERY_HOUR, PlannedHours, slots_between
from support.worker import Worker

from shared.registry import RUN_TYPES

ROUNDS = 20
HARMLESS = {"debug", "info"}

# What must be answered in time has production's time for it: a busy machine is no fault.
PACE = {
    "LEASE_SECONDS": 30,
    "LEASE_RENEW_SECONDS": 10,
    "SHUTDOWN_GRACE_SECONDS": 25,
    "LLM_RETRY_BUDGET_SECONDS": 60,
    "PLAN_SECONDS": 0.2,
    "PURGE_SECONDS": 0.2,
    "AUTOPILOT_SECONDS": 0.2,
    "PLATFORM_CHECK_SECONDS": 0.5,
    "STRIPE_READ_SECONDS": 0.5,
}

# What the autopilot may add, nobody else asks for: a report that is already running is a reason to log a refusal.
ADDED = ["QUALITY_AUDIT", "OKR_QUARTERLY_REVIEW"]
ASKED = [key for key in RUN_TYPES if key not in ADDED]


def settings(hq: Hq) -> dict[str, Any]:
    """Return the settings of a worker that asks everybody it can ask, at this day's pace."""
    vendors = hq.vendors.base_url
    return PACE | {
        "PERPLEXITY_API_URL": f"{vendors}/perplexity",
        "PERPLEXITY_API_KEY": "a-key-of-the-stand-in",
        "FIRECRAWL_API_URL": f"{vendors}/firecrawl/v2",
        "FIRECRAWL_API_KEY": "a-key-of-the-stand-in",
        "COMPETITOR_PAGES": "https://concurrent.example/tarifs",
        "TECH_WATCH_PAGES": "https://veille-technique.example",
    }


def alarms(worker: Worker) -> list[str]:
    """Return the lines of a worker's log that are of another level than these, or that nobody can parse."""
    return [line for line in worker.log().splitlines() if _level(line) not in HARMLESS]


def _level(line: str) -> object:
    try:
        return json.loads(line)["level"]
    except (ValueError, KeyError, TypeError):
        return None


async def again_and_again(happen: Callable[..., Awaitable[None]], *parties: object) -> None:
    for number in range(ROUNDS):
        await happen(*parties, number)


async def have_a_report_asked_in_sql(hq: Hq, number: int) -> None:
    run = await hq.settled(hq.ask(ASKED[number % len(ASKED)]))

    assert run["status"] == "completed", hq.explain()


async def have_a_report_asked_by_a_screen(service: Service, owner: str, number: int) -> None:
    run_type = ASKED[-1 - number % len(ASKED)]
    answer = await service.post("executive-run", {"run_type": run_type, "context_data": {"n": number}}, token=owner)

    assert (answer.status_code, answer.json()["success"]) == (200, True), answer.json()


async def let_a_slot_of_the_plan_come(hq: Hq, number: int) -> None:
    jobs = [row["key"] for row in hq.rows("select key from hq.scheduled_jobs order by key")]
    job, hours_ago = jobs[number % len(jobs)], number // len(jobs)
    now = datetime.now(UTC)
    slots = slots_between([PlannedHours(job, EVERY_HOUR, EVERY_DAY)], now - timedelta(days=1), now)
    at = sorted(at for _, at in slots)[-1 - hours_ago]
    # In one transaction: a worker looks at any moment.
    hq.rows(
        "with planned as ("
        "  update hq.scheduled_jobs set enabled = key = %s, grace_minutes = 1440, "
        "  weekdays = array[1, 2, 3, 4, 5, 6, 7], hours = array(select generate_series(0, 23)) returning 1"
        ") update hq.plan_clock set passed_until = %s where exists (select from planned) returning 1",
        job,
        at - timedelta(seconds=1),
    )
    (decided,) = await hq.until(
        "select * from hq.plan_slots where job_key = %s and slot_at = %s and outcome is not null", job, at
    )

    assert decided["outcome"] == "fired"


async def let_the_autopilot_find_something(hq: Hq, number: int) -> None:
    before = hq.one("select count(*) as n from hq.autopilot_decisions where model_asked and state = 'decided'")["n"]
    fail_run(hq.database, ADDED[number % len(ADDED)])
    # An hour and more passes, for the decisions and for what they launched.
    age_decisions(hq.database, minutes=120)
    hq.database.run(
        "update hq.runs set created_at = created_at - interval '2 hours' "
        "where run_type = any(%s) and status = 'completed'",
        ADDED,
    )
    await hq.until(
        "select from hq.autopilot_decisions where model_asked and state = 'decided' having count(*) > %s", before
    )
    await hq.until(
        "select where not exists (select from hq.runs where run_type = any(%s) and status in ('pending', 'running'))",
        ADDED,
    )


async def let_a_log_grow_old(hq: Hq, _number: int) -> None:
    hq.database.run("insert into hq.structured_logs (message, created_at) values ('old', now() - interval '40 days')")
    hq.database.run("update hq.maintenance set done_at = now() - interval '27 hours' where task = 'purge'")
    await hq.until("select where not exists (select from hq.structured_logs where message = 'old')")


async def have_the_earnings_and_the_sites_read(hq: Hq, _number: int) -> None:
    now = hq.one("select clock_timestamp() as now")["now"]
    await hq.until("select from hq.finance_snapshots where measured and taken_at > %s", now)
    await hq.until("select from hq.platform_checks where checked_at > %s", now)


async def have_a_run_cancelled(hq: Hq) -> None:
    await hq.vendors.script("openai", {"delay_ms": 20_000})
    run_id = hq.ask("SEO_AUDIT")
    await hq.became(run_id, "running")
    hq.one("select public.cancel_hq_run(%s)", run_id)
    await hq.settled(run_id)


async def deploy(hq: Hq, old: Worker) -> Worker:
    """Have a worker take over from another one."""
    new = await hq.worker(**settings(hq))
    old.signal(signal.SIGTERM)
    assert await old.exit_code() == 0
    return new


async def test_a_clean_day_raises_no_alarm(hq: Hq) -> None:
    configure(hq.database, allowedRunTypes=ADDED, maxDailyAutonomousRuns=100, pauseOnError=False)
    service, worker = await hq.service(**settings(hq)), await hq.worker(**settings(hq))
    owner = hq.stack.sign_in()

    await asyncio.gather(
        again_and_again(have_a_report_asked_in_sql, hq),
        again_and_again(have_a_report_asked_by_a_screen, service, owner),
        again_and_again(let_a_slot_of_the_plan_come, hq),
        again_and_again(let_the_autopilot_find_something, hq),
        again_and_again(let_a_log_grow_old, hq),
        again_and_again(have_the_earnings_and_the_sites_read, hq),
    )
    await have_a_run_cancelled(hq)
    worker = await deploy(hq, worker)
    await hq.until("select where not exists (select from hq.runs where status in ('pending', 'running'))")
    for each in (service.worker, worker):
        each.signal(signal.SIGTERM)
        assert await each.exit_code() == 0

    assert {each.name: alarms(each) for each in hq.workers} == {each.name: [] for each in hq.workers}
    logged = hq.rows(
        "select level, source, message, metadata from hq.structured_logs where level <> all(%s)", [*HARMLESS]
    )
    assert logged == []
    assert hq.rows("select * from hq.announcements where event = 'alert'") == []
