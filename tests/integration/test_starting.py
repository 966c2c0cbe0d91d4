"""A worker starts only where it can work, waits where it soon may, and keeps to its limits."""

import asyncio
import subprocess
import sys
from pathlib import Path

from support.hq import Hq
from support.worker import PROJECT

from workers import schema
from workers.schema import SqlFile


async def test_a_database_without_our_part_is_refused_with_the_command_that_brings_it(hq: Hq) -> None:
    hq.database.run("drop function public.get_hq_schema_state")

    worker = hq.start_worker(fresh=True)

    # PostgREST may not have read the schema again yet: that is waited for, for 8 s.
    assert await worker.exit_code(within=15 + 8) == 78
    assert "emocare migrate" in worker.tail()
    assert "Traceback" not in worker.tail()


async def test_an_older_schema_is_refused_by_the_name_of_what_it_lacks(hq: Hq) -> None:
    hq.rows("delete from hq.worker_migrations where name = 'settle_hq_run' returning name")

    worker = hq.start_worker()

    assert await worker.exit_code() == 78
    assert "The database lacks settle_hq_run. Run `emocare migrate`" in worker.tail()


async def test_a_wrong_key_is_refused_by_the_name_of_its_variable(hq: Hq) -> None:
    worker = hq.start_worker(SUPABASE_SERVICE_ROLE_KEY=hq.stack.mint_token("service_role", legacy=True) + "x")

    assert await worker.exit_code() == 78
    assert "SUPABASE_SERVICE_ROLE_KEY" in worker.tail()


async def test_a_worker_that_starts_during_an_outage_waits_for_its_end(hq: Hq) -> None:
    hq.stack.stop_postgrest()
    run_id = hq.ask()

    worker = hq.start_worker()
    await worker.logged("backend.failed", call="get_hq_schema_state", times=2)
    hq.stack.start_postgrest()

    assert (await hq.settled(run_id))["status"] == "completed"


async def test_a_worker_takes_no_more_runs_at_once_than_it_is_set_to(hq: Hq) -> None:
    await hq.vendors.script("openai", {"delay_ms": 400}, repeat=True)
    asked = [hq.ask() for _ in range(7)]

    await hq.worker(WORKER_CONCURRENCY=3)
    for run_id in asked:
        await hq.settled(run_id)

    assert most_at_once(hq) == 3


async def test_a_types_own_limit_holds_and_hides_no_other_run(hq: Hq) -> None:
    await hq.vendors.script("openai", {"delay_ms": 400}, repeat=True)
    limited = [hq.ask("MARKETING_WEEK_PLAN") for _ in range(6)]
    other = hq.ask()

    await hq.worker(WORKER_CONCURRENCY=6)
    await hq.settled(other)
    assert {hq.run(run_id)["status"] for run_id in limited} >= {"pending"}
    for run_id in limited:
        await hq.settled(run_id)

    assert most_at_once(hq, "MARKETING_WEEK_PLAN") == 2


async def test_urgent_runs_go_first(hq: Hq) -> None:
    usual, urgent = hq.ask(), hq.ask(priority=10)

    await hq.worker(WORKER_CONCURRENCY=1)

    assert (await hq.settled(urgent))["started_at"] < (await hq.settled(usual))["started_at"]


async def test_migrations_apply_while_workers_run(hq: Hq) -> None:
    """Every function is defined again and again, under workers that call them."""
    await hq.vendors.script("openai", {"delay_ms": 50}, repeat=True)
    asked = [hq.ask() for _ in range(60)]
    await hq.worker(WORKER_CONCURRENCY=4)
    functions = [file for file in schema.read_files() if file.kind == "function"]
    version = 0

    while hq.rows("select from hq.run_queue limit 1"):
        version += 1
        newer = [SqlFile(file.kind, file.name, f"{file.text}\n-- {version}") for file in functions]
        assert len(schema.apply(hq.stack.database_url, newer).functions) == len(functions)
        await asyncio.sleep(0.05)

    assert version >= 5
    for run_id in asked:
        run = hq.run(run_id)
        assert (run["status"], run["detailed_appendix"]["attempt"]) == ("completed", 1)


def test_the_command_is_there_under_both_of_its_names() -> None:
    for command in ([Path(sys.executable).with_name("emocare")], [sys.executable, "-m", "workers"]):
        printed = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True, cwd=PROJECT)
        assert printed.stdout


def most_at_once(hq: Hq, run_type: str | None = None) -> int:
    """Count how many runs were under way at the same time, at most."""
    return int(
        hq.one(
            "select max((select count(*) from hq.runs as o where o.started_at <= r.started_at "
            "and r.started_at < o.completed_at and o.run_type = r.run_type)) as most "
            "from hq.runs as r where %s::text is null or r.run_type = %s",
            run_type,
            run_type,
        )["most"]
    )
