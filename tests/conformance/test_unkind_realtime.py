"""Realtime as unkind as the hosted one: what the official clients then meet."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from support.clients import Ear, Puppet, execute, insert_run

from devstack.ways import HOSTED, QUICK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    import httpx
    from supabase import AsyncClient

    from devstack.stack import Stack

    Connect = Callable[..., Awaitable[AsyncClient]]
    JavaScript = Callable[..., Awaitable[Puppet]]

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")

PRESENT = {"config": {"broadcast": None, "presence": {"key": "desk-1", "enabled": True}, "private": False}}


@pytest.fixture(scope="module")
def project(open_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Stack]:
    with open_stack() as running:
        yield running


@pytest.fixture
def stack(project: Stack) -> Iterator[Stack]:
    yield project
    project.realtime.lose_changes(0)
    project.realtime.tune(**asdict(QUICK))


def broadcast(topic: str) -> dict[str, Any]:
    return {"messages": [{"topic": topic, "event": "run_completed", "payload": {}, "private": False}]}


async def test_a_refused_join_is_answered_after_five_seconds(stack: Stack, connect: Connect) -> None:
    stack.realtime.tune(**asdict(HOSTED))
    client = await connect(stack)
    await client.realtime.set_auth("nonsense")
    asked = time.monotonic()

    ear = await Ear(client, "refused").subscribe()

    assert "MalformedJWT" in await ear.next_state("CHANNEL_ERROR")
    assert time.monotonic() - asked >= HOSTED.refused_join_seconds


async def test_a_refused_handshake_is_answered_after_two_seconds(stack: Stack) -> None:
    stack.realtime.tune(**asdict(HOSTED))
    expired = stack.mint_token(expires_in=-60)
    asked = time.monotonic()

    with pytest.raises(websockets.InvalidStatus):
        # Past the gateway, which knows its keys: as when it still knows one that Realtime does not.
        await websockets.connect(f"ws://127.0.0.1:{stack._ports.realtime_sockets}/websocket?apikey={expired}")

    assert time.monotonic() - asked >= HOSTED.refused_socket_seconds


async def test_a_project_without_public_access_refuses_channels_and_accepts_broadcasts_for_nobody(
    stack: Stack, connect: Connect, javascript: JavaScript, http: httpx.AsyncClient
) -> None:
    before = await Ear(await connect(stack), "hq-notifications").on_broadcast().subscribe()
    await before.next_state("SUBSCRIBED")
    stack.realtime.tune(public_access=False)

    ear = await Ear(await connect(stack), "hq-notifications").subscribe()
    page = await javascript(stack)
    await page.order("subscribe", topic="hq-notifications")
    headers = {"apikey": stack.publishable_key}
    url = f"{stack.url}/realtime/v1/api/broadcast"
    answer = await http.post(url, json=broadcast("hq-notifications"), headers=headers)

    assert "PrivateOnly: This project only allows private channels" in await ear.next_state("CHANNEL_ERROR")
    assert "PrivateOnly" in (await page.next_state("CHANNEL_ERROR"))["error"]
    assert answer.status_code == 202
    assert before.heard_nothing_of("broadcast")


async def test_a_newer_key_is_no_token_where_it_does_not_stand_for_one(stack: Stack, connect: Connect) -> None:
    client = await connect(stack, key=stack.secret_key)
    await client.realtime.set_auth(stack.secret_key)
    await (await Ear(client, "kind").subscribe()).next_state("SUBSCRIBED")
    stack.realtime.tune(keys_as_tokens=False)

    strict = await Ear(client, "strict").subscribe()
    await client.realtime.set_auth(None)
    bare = await Ear(client, "bare").subscribe()

    assert "MalformedJWT" in await strict.next_state("CHANNEL_ERROR")
    await bare.next_state("SUBSCRIBED")


async def test_the_first_join_waits_for_the_database_and_holds_up_its_socket(stack: Stack, connect: Connect) -> None:
    stack.realtime.tune(first_join_seconds=1)
    client = await connect(stack)
    asked = time.monotonic()

    first, second = await Ear(client, "first").subscribe(), await Ear(client, "second").subscribe()
    await second.next_state("SUBSCRIBED")
    await first.next_state("SUBSCRIBED")
    waited = time.monotonic() - asked
    await (await Ear(await connect(stack), "third").subscribe()).next_state("SUBSCRIBED")

    assert waited >= 1
    assert time.monotonic() - asked < waited + 1


async def test_changes_are_lost_without_a_word(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "service"), "deaf").on_changes("INSERT").listen()
    stack.realtime.lose_changes(60)
    insert_run(stack)
    await asyncio.sleep(0.3)
    stack.realtime.lose_changes(0)
    heard = insert_run(stack)

    assert (await ear.next("change"))["record"]["id"] == heard
    assert ear.heard_nothing_of("state")
    assert ear.heard_nothing_of("system")


async def test_a_change_over_a_megabyte_keeps_only_its_short_values(stack: Stack, connect: Connect) -> None:
    execute(stack, "alter publication supabase_realtime add table public.contact_messages")
    table = {"schema": "public", "table": "contact_messages"}
    ear = await Ear(await connect(stack, "service"), "large").on_changes("INSERT", **table).listen()

    insert = "insert into public.contact_messages (name, email, subject, message) values ('a', 'b', 'c', %s)"
    execute(stack, insert, ["x" * (1 << 20)])
    change = await ear.next("change")

    assert change["errors"] == ["Error 413: Payload Too Large"]
    assert change["record"]["subject"] == "c"
    assert "message" not in change["record"]


async def test_who_sends_too_much_is_sent_away(stack: Stack, connect: Connect, http: httpx.AsyncClient) -> None:
    stack.realtime.tune(events_per_second=3)
    ear = await Ear(await connect(stack), "loud").subscribe()
    await ear.next_state("SUBSCRIBED")

    for _ in range(4):
        await ear.channel.send_broadcast("beat", {})

    assert "Too many messages per second" in await ear.next_state("CHANNEL_ERROR")
    await ear.next_state("CLOSED")
    url = f"{stack.url}/realtime/v1/api/broadcast"
    answer = await http.post(url, json=broadcast("loud"), headers={"apikey": stack.publishable_key})
    assert answer.status_code == 429


async def test_who_is_present_is_known_to_those_who_ask(stack: Stack, connect: Connect, javascript: JavaScript) -> None:
    ear = await Ear(await connect(stack), "office", PRESENT).subscribe()
    await ear.next_state("SUBSCRIBED")
    await ear.channel.track({"page": "reports"})
    page = await javascript(stack)

    await page.order("subscribe", topic="office", config={"presence": {"key": "desk-2", "enabled": True}})
    while "desk-1" not in (state := await page.next("presence")):
        pass
    assert state["desk-1"][0]["page"] == "reports"

    await page.ask("track", payload={"page": "home"})
    while "desk-2" not in ear.channel.presence.state:  # noqa: ASYNC110 - the client has no event for it
        await asyncio.sleep(0.01)
    await ear.channel.untrack()
    while "desk-1" in (state := await page.next("presence")):
        pass
    assert list(state) == ["desk-2"]
