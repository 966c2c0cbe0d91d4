"""However a run comes to be, one pending row is worked off once."""

import asyncio
from uuid import UUID

from support.hq import RUN_TYPE, Hq, read_rows, signed_in


async def test_thirty_clients_at_once_make_one_run(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", default_delay_ms=300)

    async with signed_in(hq) as president:
        request = president.rpc("request_hq_run", {"p_run_type": RUN_TYPE}).execute
        answers = await asyncio.gather(*(request() for _ in range(30)))

    tickets = [read_rows(answer)[0] for answer in answers]
    assert len({ticket["run_id"] for ticket in tickets}) == 1
    assert [ticket["created"] for ticket in tickets].count(True) == 1
    await hq.settled(UUID(tickets[0]["run_id"]))
    assert hq.one("select count(*) from hq.runs")["count"] == 1
    assert await hq.model_calls() == 1


async def test_a_row_inserted_by_hand_is_worked_off(hq: Hq) -> None:
    await hq.worker()

    run_id = hq.one("insert into hq.runs (run_type) values (%s) returning id", RUN_TYPE)["id"]

    assert (await hq.settled(run_id))["status"] == "completed"


async def test_a_failed_run_set_back_to_pending_by_hand_is_worked_off_anew(hq: Hq) -> None:
    await hq.worker()
    await hq.vendors.script("openai", {"status": 402})
    run_id = hq.ask()
    assert (await hq.settled(run_id))["status"] == "failed"

    hq.rows("update hq.runs set status = 'pending' where id = %s returning id", run_id)
    run = await hq.became(run_id, "completed")

    assert "\n\n## " in run["executive_summary"]
    assert "error_code" not in run["detailed_appendix"]
    assert hq.logs(run_id) == ["run.started", "run.failed", "run.adopted", "run.started", "run.completed"]


async def test_an_unknown_type_inserted_by_hand_fails_with_a_sentence(hq: Hq) -> None:
    await hq.worker()

    run_id = hq.one("insert into hq.runs (run_type) values ('MAKE_COFFEE') returning id")["id"]
    run = await hq.settled(run_id)

    assert run["status"] == "failed"
    assert run["executive_summary"].startswith("Le type d'exécution « MAKE_COFFEE » n'existe pas.")
    assert run["detailed_appendix"]["error_code"] == "unknown_run_type"
    assert await hq.model_calls() == 0


async def test_runs_of_every_kind_of_asker_are_all_done(hq: Hq) -> None:
    asked = [hq.ask(), hq.ask(trigger="schedule"), hq.ask(trigger="autopilot"), hq.ask(context='{"a": 1}')]
    inserted = "insert into hq.runs (run_type) select %s from generate_series(1, 12) returning id"
    asked += [row["id"] for row in hq.rows(inserted, RUN_TYPE)]

    await hq.worker(WORKER_CONCURRENCY=4)

    for run_id in asked:
        assert (await hq.settled(run_id))["status"] == "completed"
    assert await hq.model_calls() == len(asked)
