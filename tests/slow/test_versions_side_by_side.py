"""The latest release beside the version that replaces it: nothing lost, nothing doubled, nothing accepted refused."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg
import pytest
from support.calls import USAGE, settle, start
from support.database import Database
from support.hq import Hq, Service, open_hq
from support.release import Release
from support.running_relay import AT_ONCE, start_relay_in_front_of
from support.worker import PROJECT, Worker

from devstack.processes import Processes, choose_port
from shared.registry import RUN_TYPES
from workers import schema

RecordFigure = Callable[[str, object], None]

HELD: Final = "HQ008"  # another session holds what is asked for
CONFIGURATION_ERROR: Final = 78
# Enough of the work is under way, in whichever version, when something happens to it.
CALM: Final[dict[str, object]] = {"LEASE_SECONDS": 6, "LEASE_RENEW_SECONDS": 2, "CANCEL_POLL_SECONDS": 2}
PATIENCE: Final = 60  # seconds, in which a worker starts on the busiest machine
SLOW_MODEL: Final = {"delay_ms": 400}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release.latest_to_migrate(tmp_path_factory.mktemp("release"))


@pytest.fixture
def own_types(release: Release) -> list[str]:
    """The run types that the release knows."""
    printed = release.run("-c", "import json; from shared.registry import RUN_TYPES; print(json.dumps([*RUN_TYPES]))")
    return [str(key) for key in json.loads(printed)]


# What is true of every run, whoever did it. -------------------------------------------------------------------


async def assert_all_done(hq: Hq, asked: list[UUID], within: float = 60) -> None:
    for run_id in asked:
        await hq.settled(run_id, within=within)
    assert len(set(asked)) == len(asked)
    found = hq.rows("select id, status, executive_summary from hq.runs where id = any(%s)", asked)
    assert {row["id"] for row in found} == set(asked)
    assert [row for row in found if row["status"] != "completed"] == [], hq.explain()
    ends = hq.rows("select run_id from hq.structured_logs where message = 'run.completed' and run_id = any(%s)", asked)
    assert Counter(row["run_id"] for row in ends) == Counter(asked)
    steps = "select run_id, name, count(*) from hq.run_steps group by 1, 2 having count(*) > 1"
    assert hq.rows(steps) == []
    assert hq.rows("select 1 from hq.run_queue where run_id = any(%s)", asked) == []
    bills = "select run_id from hq.run_costs where run_id = any(%s) group by 1"
    assert {row["run_id"] for row in hq.rows(bills, asked)} == set(asked)


def assert_no_complaint(*workers: Worker) -> None:
    """Nothing that a worker sent was refused, and nothing of it was an error."""
    for worker in workers:
        lines = [json.loads(line) for line in worker.log().splitlines() if line.startswith("{")]
        assert [line for line in lines if line["level"] in {"error", "critical"}] == [], worker.tail()
        failed = [line for line in lines if line["event"] == "backend.failed"]
        # Late, on a loaded machine, it may be; then it asks again.
        assert [line for line in failed if line["error_code"] != "backend_unavailable"] == [], worker.tail()


# The released worker on the new schema. -----------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_the_released_worker_does_all_it_did_on_the_new_schema(
    hq: Hq, release: Release, own_types: list[str]
) -> None:
    owner = hq.stack.sign_in()
    service = await hq.service(PYTHONPATH=release.folder)

    asked = [hq.ask(run_type) for run_type in own_types]
    answers = {
        "executive-run": await service.post("executive-run", {"run_type": "SEO_AUDIT"}, token=owner),
        "ai-scheduler": await service.post("ai-scheduler", {"action": "status"}, token=owner),
        "scheduled-runs": await service.post("scheduled-runs", {"action": "status"}, token=owner),
        "stripe-kpis": await service.post("stripe-kpis", token=owner),
        "platform-monitor": await service.post("platform-monitor", token=owner),
        "check-api-status": await service.post("check-api-status", token=owner),
    }
    await assert_all_done(hq, asked)
    await hq.vendors.script("openai", {"status": 503}, repeat=True)
    retried = hq.ask()
    await hq.until("select from hq.structured_logs where run_id = %s and message = 'run.retried'", retried)
    await hq.vendors.script("openai")
    await assert_all_done(hq, [retried])
    await hq.vendors.script("openai", {"delay_ms": 20_000})
    cancelled = hq.ask()
    await hq.became(cancelled, "running")
    hq.rows("select public.cancel_hq_run(%s)", cancelled)
    assert (await hq.settled(cancelled))["status"] == "cancelled"

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert_no_complaint(service.worker)


# Both at once. ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_both_versions_work_off_one_queue(
    hq: Hq, release: Release, own_types: list[str], record_figure: RecordFigure
) -> None:
    """One of each is killed in the middle of its work, with which the other version goes on."""
    await hq.vendors.script("openai", SLOW_MODEL, repeat=True)
    ours = CALM | {"WORKER_CONCURRENCY": 4}
    released = ours | {"PYTHONPATH": release.folder}
    crew = [await hq.worker(released, within=PATIENCE)]
    # The release does not know these, which another worker will.
    newer = [hq.ask(run_type) for run_type in RUN_TYPES if run_type not in own_types]
    for run_id in newer:
        released_once = "select from hq.structured_logs where run_id = %s and message = 'run.released'"
        await hq.until(released_once, run_id, within=PATIENCE)
    crew.append(await hq.worker(ours, within=PATIENCE))
    hq.database.run("update hq.run_queue set run_at = now()")

    asked: list[UUID] = []
    for dying, successor in zip(tuple(crew), (ours, released), strict=True):
        asked += [hq.ask() for _ in range(10)]
        await dying.logged("run.settled", end="completed", within=PATIENCE)
        await hq.until("select from hq.run_queue where worker_id like %s", f"%-{dying.pid}-%")
        dying.kill()
        crew.append(await hq.worker(successor, within=PATIENCE))
    asked += [hq.ask() for _ in range(10)]
    await assert_all_done(hq, asked)
    # While it works, it may be the one that takes them, each time to hand them back for longer.
    crew[-1].signal(signal.SIGTERM)
    assert await crew[-1].exit_code() == 0, crew[-1].tail()
    hq.database.run("update hq.run_queue set run_at = now()")
    await assert_all_done(hq, newer)

    shares = [len(worker.events("run.settled", end="completed")) for worker in crew]
    rescued = hq.one("select count(*) from hq.structured_logs where message = 'run.rescued'")["count"]
    record_figure("completed by the released, ours, ours, the released", f"{shares}, {rescued} rescued")
    assert min(shares) > 0
    assert rescued > 0
    assert_no_complaint(*crew)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("older", ["relay", "worker"])
async def test_the_page_is_answered_whichever_of_relay_and_worker_is_the_older(
    older: str, hq: Hq, release: Release, tmp_path: Path
) -> None:
    worker_of, relay_of = (release.folder, PROJECT) if older == "worker" else (PROJECT, release.folder)
    service = await hq.service(PYTHONPATH=worker_of)
    processes = Processes(tmp_path)
    settings = AT_ONCE | {"FUNCTIONS_FOLDER": str(relay_of / "supabase" / "functions")}
    url = start_relay_in_front_of(hq, service.url, processes, port=choose_port(), settings=settings)
    relay = Service(service.worker, url)
    owner = hq.stack.sign_in()
    page = {"apikey": hq.stack.anon_key, "origin": "https://page.example", "idempotency-key": "click-1"}
    try:
        first = await relay.post("executive-run", {"run_type": "SEO_AUDIT"}, token=owner, headers=page)
        again = await relay.post("executive-run", {"run_type": "SEO_AUDIT"}, token=owner, headers=page)
        refused = await relay.post("executive-run", {"run_type": "SEO_AUDIT"}, headers=page)
        plan = await relay.post("ai-scheduler", {"action": "status"}, token=owner, headers=page)
        figures = await relay.post("stripe-kpis", {}, token=owner, headers=page)
    finally:
        processes.close()

    assert (first.status_code, first.json()["success"]) == (200, True)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert refused.json()["error"]
    assert (plan.status_code, figures.status_code) == (200, 200)
    await assert_all_done(hq, [UUID(first.json()["run_id"])])
    assert_no_complaint(service.worker)


# While migrations are applied. --------------------------------------------------------------------------------


@dataclass
class Requests:
    """What became of requests that keep coming."""

    pause: float = 0.2
    accepted: list[UUID] = field(default_factory=list)
    refused: int = 0
    _spans: list[tuple[float, float]] = field(default_factory=list)

    def ask(self, database: Database) -> None:
        """Ask for a run. Who is refused because of a lock has asked for nothing."""
        began = time.monotonic()
        with database.connect() as session:
            try:
                row = session.execute(
                    "select run_id from public.request_hq_run('SEO_AUDIT', p_force => true)"
                ).fetchone()
            except psycopg.Error as error:
                if error.sqlstate != HELD:
                    raise
                self.refused += 1
                return
        assert row is not None
        self.accepted.append(row["run_id"])
        self._spans.append((began, time.monotonic()))

    def accepted_between(self, start: float, end: float) -> int:
        """Count the accepted requests that were on their way at some time of a stretch."""
        return sum(began < end and ended > start for began, ended in self._spans)


@asynccontextmanager
async def requests_arriving(hq: Hq) -> AsyncIterator[Requests]:
    """Ask for a run five times a second, or as often as the test then wishes."""
    requests = Requests()
    stop = asyncio.Event()

    async def arrive() -> None:
        while not stop.is_set():
            await asyncio.gather(asyncio.to_thread(requests.ask, hq.database), asyncio.sleep(requests.pause))

    arriving = asyncio.create_task(arrive())
    try:
        yield requests
    finally:
        stop.set()
        await arriving


async def _restart_until_it_stays(hq: Hq, refusals: list[str], refused: asyncio.Event) -> Worker:
    """Start a worker as the platform does, again whenever it refuses to start; return it once it works."""
    while True:
        try:
            return await hq.worker(CALM, within=PATIENCE)
        except AssertionError:
            worker = hq.workers[-1]
            assert await worker.exit_code() == CONFIGURATION_ERROR, worker.tail()
            refusals.append(worker.log())
            refused.set()


def _waits(database: Database, application: str) -> bool:
    query = """
        select from pg_locks as l join pg_stat_activity as a using (pid)
        where not l.granted and l.relation = 'hq.run_costs'::regclass and a.application_name = %s
    """
    return bool(database.rows(query, application))


def _until(condition: Callable[[], bool], within: float = 30) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_settlement_that_waits_for_a_migration_is_kept(clone: Callable[[str], Database], tmp_path: Path) -> None:
    """It began with the released function, behind the lock of 0017, which takes away what that function names."""
    database = clone("head")
    Release.unpack("0.1.0", tmp_path).migrate(database.url)
    applied = "select from hq.worker_migrations where name = '0017_bill_each_model'"
    answers = []
    with ThreadPoolExecutor() as others, database.connect() as reader, database.connect() as worker:
        worker.execute("set application_name = 'settling'")
        reader.execute("begin; select from hq.run_costs")
        migrating = others.submit(schema.apply, database.url)
        while not database.rows(applied):
            claimed = start(database)
            reader.execute("commit; begin; select from hq.run_costs")
            _until(lambda: _waits(database, "emocare migrate") or bool(database.rows(applied)))
            settling = others.submit(settle, worker, claimed, usage=USAGE)
            _until(lambda: _waits(database, "settling") or settling.done())  # noqa: B023 - done within this round
            reader.execute("commit")
            answers.append(settling.result())
            reader.execute("begin; select from hq.run_costs")
        reader.execute("commit")
        migrating.result()

    assert set(answers) == {"completed"}
    bills = "select from hq.run_costs where (model, calls, cost_eur) = ('google/gemini-2.5-pro', 1, 0.0125)"
    assert len(database.rows(bills)) == len(answers)


def test_a_settlement_that_waits_for_the_pasted_text_is_kept(clone: Callable[[str], Database], tmp_path: Path) -> None:
    """The editor sends the whole text at once, which is one transaction but for what is committed first."""
    database = clone("head")
    Release.unpack("0.1.0", tmp_path).migrate(database.url)
    # However long the rest of the text takes on a busy machine: after a second a worker would ask again.
    database.run(
        "alter function public.settle_hq_run(uuid, bigint, text, text, jsonb, jsonb, jsonb, jsonb, numeric)"
        " set lock_timeout = '1min'"
    )
    claimed = start(database)
    with ThreadPoolExecutor() as others, database.connect() as reader, database.connect() as worker:
        worker.execute("set application_name = 'settling'")
        reader.execute("begin; select from hq.run_costs")
        with database.connect() as editor:
            editor.execute("set application_name = 'editor'")
            pasting = others.submit(editor.execute, schema.render().encode())
            _until(lambda: _waits(database, "editor"))
            settling = others.submit(settle, worker, claimed, usage=USAGE)
            _until(lambda: _waits(database, "settling") or settling.done())
            reader.execute("commit")
            pasting.result()
            answer = settling.result()

    assert answer == "completed"
    assert database.one("select model, calls from hq.run_costs") == {"model": "google/gemini-2.5-pro", "calls": 1}
    assert database.rows("select from hq.worker_migrations where name = '0017_bill_each_model'")


@pytest.mark.timeout(300)
async def test_the_schema_is_migrated_under_the_released_worker_and_the_new_one_follows(
    clone: Callable[[str], Database], tmp_path: Path, release: Release, record_figure: RecordFigure
) -> None:
    database = clone("head")
    release.migrate(database.url)
    async with open_hq(database, tmp_path) as hq:
        old = await hq.worker(CALM, within=PATIENCE, PYTHONPATH=release.folder)
        async with requests_arriving(hq) as requests:
            await asyncio.sleep(1)
            refusals: list[str] = []
            refused = asyncio.Event()
            starting = asyncio.create_task(_restart_until_it_stays(hq, refusals, refused))
            await refused.wait()
            # The schema is applied in half a second where nothing else runs.
            requests.pause = 0.02
            await asyncio.sleep(0.2)
            began = time.monotonic()
            report = await asyncio.to_thread(schema.apply, database.url)
            ended, requests.pause = time.monotonic(), 0.2
            new = await starting
            await asyncio.sleep(1)
            old.signal(signal.SIGTERM)
            assert await old.exit_code() == 0, old.tail()
            await asyncio.sleep(1)
        await assert_all_done(hq, requests.accepted)

        during = requests.accepted_between(began, ended)
        record_figure(
            "migrations under the released worker",
            f"{len(report.migrations)} migrations, {len(requests.accepted)} requests, {during} of them meanwhile, "
            f"{requests.refused} refused, {len(refusals)} refusals to start",
        )
        assert report.migrations
        assert during > 0
        assert all("emocare migrate" in refusal for refusal in refusals)
        assert_no_complaint(old, new)
        assert schema.apply(database.url).changed is False
