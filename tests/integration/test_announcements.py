"""What anybody with the page's key receives on the public channel: these words, and nothing of a run but its type."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from supabase import AsyncClientOptions, acreate_client
from support.hq import RUN_TYPE, Hq

COMPLETED = {"event": "run_completed", "payload": {"run_type": RUN_TYPE}}
FAILED = {
    "event": "alert",
    "payload": {"message": "Une exécution a échoué. Son historique dit pourquoi et que faire.", "urgency": "high"},
}
BUDGET = {
    "event": "alert",
    "payload": {"message": "Le budget IA du mois a atteint son seuil d'alerte.", "urgency": "high"},
}
APPROVAL = {
    "event": "approval_required",
    "payload": {"title": "Une action attend votre approbation.", "risk_level": "high"},
}


class Listener:
    """Somebody who has the page's key and no account, on the channel that the pages listen to."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def hear(self, said: Any) -> None:
        self.heard.put_nowait({name: value for name, value in said.items() if name != "type"})

    async def next(self, within: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(within):
            return await self.heard.get()

    async def silence(self, seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await self.next(seconds)


@asynccontextmanager
async def listening(hq: Hq) -> AsyncIterator[Listener]:
    listener = Listener()
    async with httpx.AsyncClient() as http:
        options = AsyncClientOptions(httpx_client=http, auto_refresh_token=False, persist_session=False)
        client = await acreate_client(hq.stack.url, hq.stack.anon_key, options)
        channel = client.channel("hq-notifications")
        channel.on_broadcast("*", listener.hear)
        await channel.subscribe()
        assert channel.is_joined
        try:
            yield listener
        finally:
            await client.remove_all_channels()
            await client.realtime.close()


def fall_due(hq: Hq) -> None:
    """Let the ten seconds pass for which a failure waits for its answer."""
    hq.rows("update hq.announcements set due_at = now() where sent_at is null returning 1")


async def test_an_untrusted_listener_hears_constants_and_each_once(hq: Hq) -> None:
    for _ in range(2):
        await hq.worker(SWEEP_SECONDS=0.2)
    async with listening(hq) as listener:
        await hq.settled(hq.ask(platform_key="nearvity"))
        assert await listener.next() == COMPLETED

        await hq.vendors.script("openai", {"status": 402}, repeat=True)
        await hq.settled(hq.ask(platform_key="nearvity"))
        fall_due(hq)
        assert await listener.next() == FAILED

        hq.rows("select hq.announce('budget:2026-11', 'budget_reached')")
        assert await listener.next() == BUDGET
        hq.rows("select hq.announce('action:1', 'approval_required')")
        assert await listener.next() == APPROVAL

        await hq.until("select from hq.announcements having every(sent_at is not null)")
        await listener.silence(2.5)


@pytest.mark.parametrize("strict", [False, True])
async def test_a_newer_key_announces_too(hq: Hq, strict: bool) -> None:  # noqa: FBT001 - a parameter
    if strict:
        hq.stack.gateway.refuse_bearer_keys()
    await hq.worker(SUPABASE_SERVICE_ROLE_KEY=hq.stack.secret_key)
    async with listening(hq) as listener:
        await hq.settled(hq.ask())

        assert await listener.next() == COMPLETED


async def test_what_a_killed_worker_had_taken_another_one_says(hq: Hq) -> None:
    hq.rows("select hq.announce('action:1', 'approval_required')")
    hq.rows("select * from public.take_hq_announcements('{}', 10, 1)")
    async with listening(hq) as listener:
        await hq.worker(SWEEP_SECONDS=0.2)

        assert await listener.next() == APPROVAL


async def test_no_worker_is_on_the_public_channel(hq: Hq) -> None:
    service = await hq.service()
    await service.worker.logged("realtime.subscribed")
    async with listening(hq):
        await hq.settled(hq.ask())

        members = hq.stack.realtime.members()

    assert members.pop("realtime:hq-notifications") == 1
    assert [topic.startswith("realtime:hq-worker-") for topic in members] == [True]


async def test_a_realtime_that_hangs_slows_no_run_and_loses_no_alert(hq: Hq) -> None:
    service = await hq.service()
    owner = hq.stack.sign_in()
    async with listening(hq) as listener:
        realtime = hq.stack._processes._children["realtime"]
        realtime.send_signal(signal.SIGSTOP)
        try:
            await hq.vendors.script("openai", {"status": 402}, {})
            await hq.settled(hq.ask())
            began = time.monotonic()
            for platform in ("nearvity", "emotionscare", None):
                body = {"run_type": RUN_TYPE, "platform_key": platform}
                assert (await service.post("executive-run", body, token=owner)).status_code == 200
            assert time.monotonic() - began < 4, "as long as a broadcast that nobody takes"
            await service.worker.logged("broadcast.failed")
        finally:
            realtime.send_signal(signal.SIGCONT)

        heard = await listener.next()
        assert heard in (FAILED, COMPLETED)
        fall_due(hq)
        hq.rows("update hq.announcements set taken_until = now() where sent_at is null returning 1")
        while heard != FAILED:
            heard = await listener.next()


async def test_a_failure_that_its_requester_was_answered_is_announced_to_nobody(hq: Hq) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", {"status": 402}, repeat=True)
    async with listening(hq) as listener:
        answer = await service.post("executive-run", {"run_type": RUN_TYPE}, token=hq.stack.sign_in())
        assert answer.json()["error_code"] == "gateway_out_of_credit"

        # Before it is due, by the next look of the worker that answered.
        await hq.until("select from hq.announcements where withdrawn_at < due_at", within=5)
        fall_due(hq)
        await listener.silence(2)


@pytest.mark.timeout(60)
async def test_a_failure_whose_requester_went_away_is_announced_within_half_a_minute(hq: Hq) -> None:
    service = await hq.service()
    await hq.vendors.script("openai", {"status": 402, "delay_ms": 2_000}, repeat=True)
    async with listening(hq) as listener:
        asking = asyncio.create_task(service.post("executive-run", {"run_type": RUN_TYPE}, token=hq.stack.sign_in()))
        await hq.vendors.wait_for("openai", calls=1)
        asking.cancel()

        assert await listener.next(within=32) == FAILED
