"""Private channels: who may listen and speak is what the policies of `realtime.messages` say."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from support.clients import Ear, execute

from devstack.ways import QUICK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    import httpx
    from supabase import AsyncClient

    from devstack.stack import Stack

    Connect = Callable[..., Awaitable[AsyncClient]]

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")

PRIVATE: Any = {"config": {"broadcast": None, "presence": None, "private": True}}
POLICIES = """
create policy "members hear" on realtime.messages for select to authenticated
  using (realtime.topic() like 'team%' and extension = 'broadcast');
create policy "members speak" on realtime.messages for insert to authenticated
  with check (realtime.topic() = 'team-open' and extension = 'broadcast' and auth.uid() is not null);
"""


@pytest.fixture(scope="module")
def project(open_stack: Callable[..., AbstractContextManager[Stack]]) -> Iterator[Stack]:
    with open_stack() as running:
        for policy in POLICIES.split(";\n"):
            if policy.strip():
                execute(running, policy)
        yield running


@pytest.fixture
def stack(project: Stack) -> Iterator[Stack]:
    yield project
    project.realtime.tune(**asdict(QUICK))


async def join(client: AsyncClient, topic: str) -> Ear:
    ear = await Ear(client, topic, PRIVATE).on_broadcast().subscribe()
    await ear.next_state("SUBSCRIBED")
    return ear


async def say(http: httpx.AsyncClient, stack: Stack, key: str, topic: str, *, private: bool = True) -> None:
    message = {"topic": topic, "event": "news", "payload": {"by": key[:5]}, "private": private}
    url = f"{stack.url}/realtime/v1/api/broadcast"
    answer = await http.post(url, json={"messages": [message]}, headers={"apikey": key})
    assert answer.status_code == 202


@pytest.mark.parametrize(("who", "topic"), [("anon", "team"), ("owner", "other")])
async def test_whom_no_policy_lets_read_is_refused(stack: Stack, connect: Connect, who: str, topic: str) -> None:
    ear = await Ear(await connect(stack, who), topic, PRIVATE).subscribe()

    reason = await ear.next_state("CHANNEL_ERROR")

    assert f"Unauthorized: You do not have permissions to read from this Channel topic: {topic}" in reason


async def test_who_may_listen_hears_those_who_may_speak_and_nobody_else(
    stack: Stack, connect: Connect, http: httpx.AsyncClient
) -> None:
    ear = await join(await connect(stack, "owner"), "team")
    public = await Ear(await connect(stack), "team").on_broadcast().subscribe()
    await public.next_state("SUBSCRIBED")

    await say(http, stack, stack.publishable_key, "team")  # anon: no policy lets it write
    await say(http, stack, stack.publishable_key, "team", private=False)
    await say(http, stack, stack.service_role_key, "team")

    assert (await ear.next("broadcast"))["payload"] == {"by": stack.service_role_key[:5]}
    assert (await public.next("broadcast"))["payload"] == {"by": stack.publishable_key[:5]}
    assert ear.heard_nothing_of("broadcast")
    assert public.heard_nothing_of("broadcast")


@pytest.mark.parametrize(("topic", "is_heard"), [("team-open", True), ("team-silent", False)])
async def test_only_whom_a_policy_lets_write_is_heard(
    stack: Stack, connect: Connect, topic: str, *, is_heard: bool
) -> None:
    listener = await join(await connect(stack, "owner"), topic)
    speaker = await join(await connect(stack, "owner"), topic)

    await speaker.channel.send_broadcast("news", {"n": 1})

    if is_heard:
        assert (await listener.next("broadcast"))["payload"] == {"n": 1}
    else:
        await asyncio.sleep(0.3)
        assert listener.heard_nothing_of("broadcast")


async def test_private_channels_are_all_that_is_left_without_public_access(
    stack: Stack, connect: Connect, http: httpx.AsyncClient
) -> None:
    stack.realtime.tune(public_access=False)
    client = await connect(stack, "owner")
    ear = await join(client, "team")
    refused = await Ear(client, "hq-notifications").subscribe()

    await say(http, stack, stack.service_role_key, "team", private=False)
    await say(http, stack, stack.service_role_key, "team")

    assert "PrivateOnly: This project only allows private channels" in await refused.next_state("CHANNEL_ERROR")
    assert (await ear.next("broadcast"))["payload"] == {"by": stack.service_role_key[:5]}
    assert ear.heard_nothing_of("broadcast")


async def test_the_tries_leave_no_message_behind(stack: Stack, connect: Connect) -> None:
    await join(await connect(stack, "owner"), "team")

    assert execute(stack, "select count(*) from realtime.messages") == 0
