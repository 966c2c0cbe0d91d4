"""When the announcer speaks, what about, and what becomes of it when nobody takes its words."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from support.clock import ManualClock

from shared.runs import RunId, RunStatus
from workers.backend.announcements import TOPIC, RealtimeAnnouncer

WORKERS = Path(__file__).parents[2] / "workers"
PAUSE = timedelta(seconds=1)
LONG = timedelta(minutes=1)
ALERT = {"event": "alert", "payload": {"message": "Une exécution a échoué.", "urgency": "high"}}


class Project:
    """Realtime and the outbox, as the test sets them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.waiting: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.answered: list[str] = []
        self.takes = 0
        self.posts: list[tuple[float, list[dict[str, Any]]]] = []
        self.status = 202
        self.hangs = False
        self.database_is_away = False

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path.endswith("/rpc/take_hq_announcements_v2"):
            self.takes += 1
            if self.database_is_away:
                raise httpx.ConnectError("gone", request=request)
            self.said += body["p_said"]
            self.answered += body["p_answered"]
            taken, self.waiting = self.waiting, []
            return httpx.Response(200, json=taken, request=request)
        assert request.url.path == "/realtime/v1/api/broadcast"
        self.posts.append((self.clock.monotonic(), body["messages"]))
        if self.hangs:
            await asyncio.Event().wait()
        return httpx.Response(self.status, request=request)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for _, messages in self.posts for message in messages]


@asynccontextmanager
async def announcing(project: Project, *, look_every: timedelta = LONG) -> AsyncIterator[RealtimeAnnouncer]:
    transport = httpx.MockTransport(project.answer)
    async with (
        httpx.AsyncClient(transport=transport) as rest,
        httpx.AsyncClient(transport=transport, base_url="http://project/realtime/v1/") as http,
    ):
        client: AsyncClient = await acreate_client(
            "http://project", "a.b.c", AsyncClientOptions(httpx_client=rest, auto_refresh_token=False)
        )
        announcer = RealtimeAnnouncer(client, http, clock=project.clock, look_every=look_every, pause=PAUSE)
        running = asyncio.create_task(announcer.run())
        try:
            yield announcer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_many_ends_are_one_word_each_type_and_one_request_each_pause() -> None:
    project = Project()
    async with announcing(project) as announcer:
        for n in range(60):
            announcer.note_end("CODE_REVIEW" if n % 2 else "SEO_AUDIT", RunStatus.COMPLETED)
            await project.clock.advance(PAUSE / 25)
        await project.clock.advance(2 * PAUSE)

    moments = [moment for moment, _ in project.posts]
    assert len(moments) >= 2
    assert all(later - earlier >= PAUSE.total_seconds() for earlier, later in pairwise(moments))
    for _, messages in project.posts:
        assert messages in (
            [_completed("CODE_REVIEW"), _completed("SEO_AUDIT")],
            [_completed("CODE_REVIEW")],
            [_completed("SEO_AUDIT")],
        )
    assert project.takes == 1, "a completed run costs the database nothing"


def _completed(run_type: str) -> dict[str, Any]:
    return {"topic": TOPIC, "event": "run_completed", "payload": {"run_type": run_type}, "private": False}


@pytest.mark.parametrize(
    ("run_type", "status"),
    [
        ("somebody's own words", RunStatus.COMPLETED),
        ("CODE_REVIEW", RunStatus.PENDING),
        ("CODE_REVIEW", RunStatus.CANCELLED),
    ],
)
async def test_nothing_is_said_of_other_ends_nor_of_foreign_types(run_type: str, status: RunStatus) -> None:
    project = Project()
    async with announcing(project) as announcer:
        announcer.note_end(run_type, status)
        await project.clock.advance(3 * PAUSE)

    assert not project.posts


async def test_a_failure_is_fetched_at_once_said_and_acknowledged() -> None:
    project = Project()
    async with announcing(project) as announcer:
        await project.clock.advance(PAUSE)
        assert project.takes == 1
        project.waiting = [{"key": "a"} | ALERT, {"key": "b"} | ALERT]
        announcer.note_end("CODE_REVIEW", RunStatus.FAILED)
        await project.clock.advance(PAUSE)

    assert project.messages == [{"topic": TOPIC, "private": False} | ALERT]
    assert project.said == ["a", "b"]


async def test_an_answer_is_noted_once_within_a_second_and_outlives_a_database_that_is_away() -> None:
    project = Project()
    first, second = RunId(uuid4()), RunId(uuid4())
    async with announcing(project) as announcer:
        await project.clock.advance(PAUSE)
        project.database_is_away = True
        announcer.note_answer(first)
        await project.clock.advance(PAUSE)
        assert project.answered == []
        project.database_is_away = False
        announcer.note_answer(second)
        await project.clock.advance(PAUSE)
        assert sorted(project.answered) == sorted(map(str, (first, second)))
        announcer.note_end("CODE_REVIEW", RunStatus.FAILED)
        await project.clock.advance(PAUSE)

    assert len(project.answered) == 2


async def test_while_the_database_is_away_answers_do_not_pile_up() -> None:
    project = Project()
    project.database_is_away = True
    async with announcing(project) as announcer:
        for _ in range(5_000):
            announcer.note_answer(RunId(uuid4()))
        await project.clock.advance(PAUSE)

        assert len(announcer._answered) == 1_000


async def test_what_nobody_took_is_not_acknowledged() -> None:
    project = Project()
    project.waiting = [{"key": "a"} | ALERT]
    project.status = 503
    async with announcing(project, look_every=PAUSE):
        await project.clock.advance(3 * PAUSE)

    assert project.takes >= 3
    assert len(project.posts) == 1
    assert project.said == []


async def test_an_acknowledgement_outlives_a_database_that_is_away() -> None:
    project = Project()
    project.waiting = [{"key": "a"} | ALERT]
    async with announcing(project, look_every=PAUSE):
        await project.clock.settle()
        assert project.posts
        project.database_is_away = True
        takes = project.takes
        await project.clock.advance(3 * PAUSE)
        assert project.takes > takes + 1
        project.database_is_away = False
        await project.clock.advance(PAUSE)

    assert project.said == ["a"]
    assert len(project.posts) == 1


async def test_while_realtime_hangs_nobody_waits_and_nothing_piles_up() -> None:
    project = Project()
    project.hangs = True
    async with announcing(project) as announcer:
        announcer.note_end("CODE_REVIEW", RunStatus.COMPLETED)
        await project.clock.settle()
        assert project.posts
        for _ in range(10_000):
            announcer.note_end("CODE_REVIEW", RunStatus.COMPLETED)

        assert len(announcer._completed) == 1
    assert len(project.posts) == 1


def test_one_module_names_the_public_channel_and_it_opens_no_channel() -> None:
    """What is said there can be forged by anybody: whoever listened would believe anybody."""
    naming = [path for path in WORKERS.rglob("*.py") if TOPIC in path.read_text()]
    (announcer,) = naming
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(announcer.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }

    assert announcer.name == "announcements.py"
    assert not calls & {"channel", "subscribe", "on_broadcast", "connect"}
