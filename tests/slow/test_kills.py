"""SIGKILL, wherever it falls: the run is completed by another worker, once, and nothing finished is done again."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest
from support.hq import Hq
from support.mortal import BOUNDARIES
from support.worker import Worker

from shared.language_models import CANDIDATES
from shared.registry import ModelTier

# A run that was not settled when its worker died is rescued; one that was, is over.
RESCUED = ["run.started", "run.rescued", "run.started", "run.completed"]
AT_ONCE = ["run.started", "run.completed"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_a_worker_that_dies_at_a_boundary_is_replaced_and_no_checkpointed_step_is_done_again(
    hq: Hq, boundary: str
) -> None:
    place = BOUNDARIES.index(boundary)
    settled = boundary == "settle:after"
    # Slow enough to be worth a checkpoint.
    await hq.vendors.script("github", {"delay_ms": 300})
    await hq.vendors.script("openai", {"delay_ms": 300}, repeat=True)
    run_id = hq.ask(platform_key="nearvity")

    dying = hq.start_worker(module="support.mortal", DIE_AT=boundary)
    assert await dying.exit_code() == -9, dying.tail()
    github = len(await hq.vendors.calls("github"))
    model = await hq.model_calls()
    await hq.worker()
    run = await hq.settled(run_id)

    assert run["status"] == "completed"
    assert hq.logs(run_id) == (AT_ONCE if settled else RESCUED)
    assert run["detailed_appendix"]["attempt"] == (1 if settled else 2)
    assert_written_once(hq)
    collected = place >= BOUNDARIES.index("checkpoint Collecte:after")
    answered = place >= BOUNDARIES.index("checkpoint Rapport du modèle:after")
    assert (len(await hq.vendors.calls("github")) > github) is not collected
    assert await hq.model_calls() - model == (0 if answered else 1)


@pytest.mark.parametrize(
    "place",
    [
        "checkpoint Rapport du modèle:after",
        "ask 2:before",
        "checkpoint Rapport du modèle 2:after",
        "ask 3:before",
        "checkpoint Rapport du modèle 3:after",
        "settle:before",
    ],
)
async def test_a_worker_that_dies_between_two_answers_pays_none_of_them_twice(hq: Hq, place: str) -> None:
    """The first model's two answers are unfit, the other model's is good."""
    first, second, *_ = CANDIDATES[ModelTier.SUMMARY]
    spoiled = [{"match": first, "spoil": kind, "delay_ms": 300} for kind in ("not_a_report", "leaked")]
    await hq.vendors.script("openai", *spoiled, {"match": second, "delay_ms": 300})
    run_id = hq.ask(platform_key="nearvity")

    dying = hq.start_worker(module="support.mortal", DIE_AT=place)
    assert await dying.exit_code() == -9, dying.tail()
    await hq.worker()
    run = await hq.settled(run_id)

    assert run["status"] == "completed", hq.explain()
    assert [call["body"]["model"] for call in await hq.vendors.calls("openai")] == [first, first, second]
    (found,) = hq.rows("select data from hq.run_evidence where run_id = %s and evidence_type = 'verification'", run_id)
    assert (found["data"]["answers"], found["data"]["faults"]) == (3, [])
    bill = hq.one("select sum(calls) as calls, min(cost_eur) as least from hq.run_costs where run_id = %s", run_id)
    assert (bill["calls"], bill["least"] > 0) == (3, True)
    assert_written_once(hq)


@pytest.mark.parametrize("place", ["ask:after", "ask 2:after", "ask 3:after"])
async def test_only_the_answer_that_was_not_stored_yet_is_asked_for_again(hq: Hq, place: str) -> None:
    first, second, *_ = CANDIDATES[ModelTier.SUMMARY]
    spoiled = [{"match": first, "spoil": "leaked"}] * 3
    await hq.vendors.script("openai", *spoiled, default_delay_ms=300)
    run_id = hq.ask(platform_key="nearvity")

    dying = hq.start_worker(module="support.mortal", DIE_AT=place)
    assert await dying.exit_code() == -9, dying.tail()
    await hq.worker()
    run = await hq.settled(run_id)

    lost = second if place == "ask 3:after" else first
    assert run["status"] == "completed", hq.explain()
    asked = [call["body"]["model"] for call in await hq.vendors.calls("openai")]
    assert sorted(asked) == sorted([first, first, second, lost])


async def test_a_worker_that_dies_while_the_model_writes_is_replaced(hq: Hq) -> None:
    await hq.vendors.script("github", {"delay_ms": 300})
    await hq.vendors.script("openai", {"delay_ms": 30_000})
    dying = await hq.worker()
    run_id = hq.ask(platform_key="nearvity")
    await hq.vendors.wait_for("openai", calls=1)
    github = len(await hq.vendors.calls("github"))

    dying.kill()
    await hq.worker()
    run = await hq.settled(run_id)

    assert run["status"] == "completed"
    assert hq.logs(run_id) == RESCUED
    assert len(await hq.vendors.calls("github")) == github
    assert_written_once(hq)
    (rescued,) = hq.rows("select level, metadata from hq.structured_logs where message = 'run.rescued'")
    assert rescued["level"] == "warn"
    assert rescued["metadata"]["error_code"] == "lease_lost"
    assert str(dying.pid) in rescued["metadata"]["worker_id"]


async def test_a_run_that_kills_every_worker_fails_with_a_sentence_instead_of_killing_for_ever(hq: Hq) -> None:
    run_id = hq.ask()

    for _ in range(3):
        dying = hq.start_worker(module="support.mortal", DIE_AT="ask:before")
        assert await dying.exit_code(within=30) == -9, hq.explain()
    await hq.worker()
    run = await hq.settled(run_id)

    assert run["status"] == "failed"
    assert run["executive_summary"].startswith("L'exécution s'est interrompue 3 fois sans pouvoir se terminer.")
    assert hq.logs(run_id) == ["run.started", "run.rescued"] * 2 + ["run.started", "run.failed"]


async def test_a_storm_of_kills_loses_no_run_and_doubles_no_report(
    hq: Hq, record_figure: Callable[[str, object], None]
) -> None:
    """Three workers, one of them killed every second or two and replaced, while runs keep coming."""
    rng = random.Random(20261122)
    await hq.vendors.script("openai", {"delay_ms": 150}, {"delay_ms": 400}, {"delay_ms": 700}, repeat=True)
    crew = [await hq.worker(WORKER_CONCURRENCY=4) for _ in range(3)]
    asked = [hq.ask() for _ in range(60)]
    kills, ends = 0, time.monotonic() + 40

    while time.monotonic() < ends:
        await asyncio.sleep(rng.uniform(1, 2))
        asked += [hq.ask() for _ in range(6)]
        # What counts here is that nothing is lost: a run may be struck more often than it has attempts.
        hq.rows("update hq.run_queue set max_attempts = 1000 where max_attempts < 1000 returning run_id")
        crew.append(replace(hq, crew.pop(rng.randrange(len(crew)))))
        kills += 1
    await hq.until("select where not exists (select from hq.run_queue)", within=60)

    ended = Counter(row["status"] for row in hq.rows("select status from hq.runs"))
    rescued = hq.one("select count(*) from hq.structured_logs where message = 'run.rescued'")["count"]
    record_figure("storm", f"{len(asked)} runs, {kills} kills, {rescued} rescues, ended {dict(ended)}")
    assert len(asked) > 200
    assert kills > 20
    assert rescued > 10
    assert ended == {"completed": len(asked)}
    assert_written_once(hq)


def replace(hq: Hq, worker: Worker) -> Worker:
    worker.kill()
    return hq.start_worker(WORKER_CONCURRENCY=4)


def assert_written_once(hq: Hq) -> None:
    """Every run has one end in the journal, four steps, one set of evidence, and nothing in the queue."""
    twice = hq.rows(
        "select r.id, e.ends, s.steps, s.orders, v.evidence, v.labels from hq.runs as r "
        "cross join lateral (select count(*) as ends from hq.structured_logs as l where l.run_id = r.id "
        "  and l.message in ('run.completed', 'run.failed')) as e "
        "cross join lateral (select count(*) as steps, count(distinct step_order) as orders from hq.run_steps as s "
        "  where s.run_id = r.id) as s "
        "cross join lateral (select count(*) as evidence, "
        "  count(distinct coalesce(v.data ->> 'label', v.evidence_type)) as labels "
        "  from hq.run_evidence as v where v.run_id = r.id) as v "
        "where e.ends <> 1 or s.steps <> 4 or s.orders <> 4 or v.evidence = 0 or v.evidence <> v.labels"
    )
    assert not twice, f"{twice}\n{hq.explain()}"
    assert not hq.rows("select from hq.run_queue")
