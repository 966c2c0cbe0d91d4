"""Realtime as the official Python client meets it, above all as a long-lived worker does."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from support.clients import GRANTS, QUICK, Ear, execute, insert_run

from devstack import ways
from devstack.stack import Stack, Tuning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    import httpx
    from supabase import AsyncClient
    from websockets.asyncio.connection import Connection

    Connect = Callable[..., Awaitable[AsyncClient]]
    OpenStack = Callable[..., AbstractContextManager[Stack]]

# The client reads attributes that its own websockets library wants to see gone; an error there would kill its
# listener without a word.
pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")


# Database changes ---------------------------------------------------------------------------------------------


async def test_the_service_hears_of_insert_update_and_delete(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "service"), "changes").on_changes().listen()

    run_id = insert_run(stack, status="pending")
    inserted = await ear.next("change")
    execute(stack, "update hq.runs set status = 'running' where id = %s", [run_id])
    updated = await ear.next("change")
    execute(stack, "delete from hq.runs where id = %s", [run_id])
    deleted = await ear.next("change")

    assert [change["type"].value for change in (inserted, updated, deleted)] == ["INSERT", "UPDATE", "DELETE"]
    assert (inserted["schema"], inserted["table"], inserted["errors"]) == ("hq", "runs", None)
    assert inserted["record"]["id"] == updated["record"]["id"] == run_id
    assert (inserted["record"]["status"], updated["record"]["status"]) == ("pending", "running")
    assert updated["old_record"] == deleted["old_record"] == {"id": run_id}
    assert "record" not in deleted
    assert inserted["commit_timestamp"].endswith("Z")


@pytest.mark.parametrize("event", ["INSERT", "UPDATE", "DELETE"])
async def test_only_the_kind_of_change_asked_for_is_told(stack: Stack, connect: Connect, event: str) -> None:
    ear = await Ear(await connect(stack, "service"), "kinds").on_changes(event).listen()

    run_id = insert_run(stack)
    execute(stack, "update hq.runs set status = 'failed' where id = %s", [run_id])
    execute(stack, "delete from hq.runs where id = %s", [run_id])
    last = insert_run(stack)
    execute(stack, "update hq.runs set status = 'failed' where id = %s", [last])
    execute(stack, "delete from hq.runs where id = %s", [last])

    heard = [await ear.next("change"), await ear.next("change")]
    assert [change["type"].value for change in heard] == [event, event]
    ids = [(change.get("record") or change["old_record"])["id"] for change in heard]
    assert ids == [run_id, last]


@pytest.mark.parametrize(
    ("condition", "other", "wanted"),
    [
        ("status=eq.pending", "failed", "pending"),
        ("status=neq.pending", "pending", "failed"),
        ("status=in.(pending,running)", "failed", "running"),
        ("status=not.in.(pending,running)", "running", "failed"),
        ("created_at=gt.2000-01-01", None, "completed"),
    ],
)
async def test_a_filter_holds_back_what_does_not_match(
    stack: Stack, connect: Connect, condition: str, other: str | None, wanted: str
) -> None:
    ear = await Ear(await connect(stack, "service"), "filtered").on_changes("INSERT", filter=condition).listen()

    if other is None:
        execute(stack, "insert into hq.runs (run_type, status, created_at) values ('old', 'failed', '1999-12-31')")
    else:
        insert_run(stack, status=other)
    run_id = insert_run(stack, status=wanted)

    assert (await ear.next("change"))["record"]["id"] == run_id


async def test_a_filter_that_cannot_be_read_is_refused_aloud(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "service"), "filtered").on_changes(filter="status?pending").subscribe()

    assert "Error parsing `filter` params" in await ear.next_state("CHANNEL_ERROR")


async def test_selected_columns_come_with_the_key_and_nothing_else(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "service"), "selected").on_changes(select=["status"]).listen()

    insert_run(stack)

    assert (await ear.next("change"))["record"].keys() == {"id", "status"}


async def test_a_wildcard_hears_of_every_published_table_and_of_no_other(
    open_stack: OpenStack, connect: Connect
) -> None:
    with open_stack() as stack:
        execute(stack, "alter publication supabase_realtime add table public.contact_messages")
        ear = await Ear(await connect(stack, "service"), "all").on_changes(schema="*", table="*").listen()

        execute(stack, "insert into hq.system_config (key, value) values ('unpublished', '1')")
        execute(stack, "insert into public.contact_messages (name, email, subject, message) values ('a','b','c','d')")
        insert_run(stack)

        assert [(await ear.next("change"))["table"] for _ in range(2)] == ["contact_messages", "runs"]


async def test_a_table_outside_the_publication_cannot_be_subscribed_to(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "owner"), "unpublished").on_changes(table="actions").subscribe()

    error = await ear.next_state("CHANNEL_ERROR")

    assert "Please check Realtime is enabled for the given connect parameters" in error


# Rights -------------------------------------------------------------------------------------------------------


async def test_only_granted_columns_are_sent(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, "owner"), "columns").on_changes().listen()

    execute(stack, "insert into hq.runs (run_type, status, executive_summary) values ('x', 'failed', 'secret')")

    change = await ear.next("change")
    granted = {"id", "run_type", "status", "created_at"}
    assert change["record"].keys() == granted
    assert {column["name"] for column in change["columns"]} == granted


async def test_the_owner_sees_a_row_and_a_viewer_does_not(stack: Stack, connect: Connect) -> None:
    owner = await Ear(await connect(stack, "owner"), "owner").on_changes().listen()
    viewer = await Ear(await connect(stack, "viewer"), "viewer").on_changes().listen()

    run_id = insert_run(stack)
    assert (await owner.next("change"))["record"]["id"] == run_id
    execute(stack, "delete from hq.runs where id = %s", [run_id])

    # Events keep their order, and no policy hides a deletion: it is the first thing the viewer hears.
    assert (await viewer.next("change"))["type"].value == "DELETE"


async def test_without_the_grants_no_row_reaches_anybody(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack(grants=False) as stack:
        ears = [await Ear(await connect(stack, who), who).on_changes().listen() for who in ("anon", "owner", "service")]

        run_id = insert_run(stack)
        execute(stack, "delete from hq.runs where id = %s", [run_id])

        for ear in ears:
            change = await ear.next("change")
            assert change["type"].value == "DELETE"
            assert (change["columns"], change["old_record"]) == ([], {})


async def test_columns_without_the_schema_are_not_enough(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack(grants=False) as stack:
        execute(stack, "grant select on hq.runs to service_role")
        ear = await Ear(await connect(stack, "service"), "schema").on_changes().listen()

        insert_run(stack)
        # Rights are those of the moment at which the change is read: it must be over before they are given.
        while stack.realtime.statistics()["changes_sent"] == 0:  # noqa: ASYNC110 - it is another process's state
            await asyncio.sleep(0.02)
        execute(stack, "grant usage on schema hq to service_role; grant select on hq.runs to service_role")
        seen = insert_run(stack)

        assert (await ear.next("change"))["record"]["id"] == seen


# Subscribing late, and again ----------------------------------------------------------------------------------


async def test_what_commits_before_the_subscription_is_announced_is_not_told(
    open_stack: OpenStack, connect: Connect
) -> None:
    with open_stack(tuning=Tuning(realtime=replace(ways.QUICK, subscribe_delay=(0.3, 0.3)))) as stack:
        ear = await Ear(await connect(stack, "service"), "late").on_changes().subscribe()
        await ear.next_state("SUBSCRIBED")

        insert_run(stack)
        assert ear.heard_nothing_of("system")
        announcement = await ear.next("system")
        reported = insert_run(stack)

        assert (await ear.next("change"))["record"]["id"] == reported
        assert announcement == {
            "channel": "late",
            "extension": "postgres_changes",
            "message": "Subscribed to PostgreSQL",
            "status": "ok",
        }


async def test_what_was_committed_but_not_yet_read_is_told_to_those_who_listened_then(
    open_stack: OpenStack, connect: Connect
) -> None:
    with open_stack(tuning=Tuning(realtime=replace(ways.QUICK, poll_seconds=(1, 1)))) as stack:
        early = await Ear(await connect(stack, "service"), "early").on_changes().listen()

        before = insert_run(stack)
        late = await Ear(await connect(stack, "service"), "late").on_changes().listen()
        after = insert_run(stack)

        assert [(await early.next("change"))["record"]["id"] for _ in range(2)] == [before, after]
        assert (await late.next("change"))["record"]["id"] == after


async def test_with_the_hosted_delay_the_announcement_comes_after_one_to_three_seconds(
    open_stack: OpenStack, connect: Connect
) -> None:
    with open_stack(tuning=Tuning()) as stack:
        ear = await Ear(await connect(stack, "service"), "hosted").on_changes().subscribe()
        joined = time.monotonic()

        await ear.next("system")

        assert 0.9 < time.monotonic() - joined < 4


async def test_an_idle_feed_is_read_at_the_hosted_pace_unless_told_otherwise(
    open_stack: OpenStack, connect: Connect
) -> None:
    """It was read every 50 ms, which flattered the benchmark; which of twenty waits is long is chance."""
    with open_stack(tuning=Tuning()) as stack:
        ear = await Ear(await connect(stack, "service"), "paced").on_changes().listen()
        waits = []
        for _ in range(20):
            insert_run(stack)
            inserted = time.monotonic()
            await ear.next("change")
            waits.append(time.monotonic() - inserted)

        assert 0.12 < max(waits) < 2


@pytest.mark.parametrize("code", [1000, 1001, 1011, None])
async def test_the_client_joins_again_after_its_socket_ends(stack: Stack, connect: Connect, code: int | None) -> None:
    ear = await Ear(await connect(stack, "service"), "again").on_changes().listen()

    if code is None:
        stack.realtime.cut_sockets()
    else:
        stack.realtime.close_sockets(code)
    await ear.next_state("CHANNEL_ERROR")
    await ear.next_state("SUBSCRIBED")
    await ear.next("system")
    run_id = insert_run(stack)

    assert (await ear.next("change"))["record"]["id"] == run_id


async def test_the_client_outlives_a_crash_of_realtime(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack() as stack:
        ear = await Ear(await connect(stack, "service"), "crash").on_changes().listen()

        stack.kill_realtime()
        await ear.next_state("CHANNEL_ERROR")
        stack.start_realtime()
        await ear.next("system")
        run_id = insert_run(stack)

        assert (await ear.next("change"))["record"]["id"] == run_id


async def test_a_restart_of_realtime_sends_its_clients_away_in_good_order(open_stack: OpenStack) -> None:
    with open_stack() as stack:
        socket = await open_socket(stack)

        await asyncio.to_thread(stack.restart_realtime)
        await socket.wait_closed()
        async with await open_socket(stack) as again:
            await exchange(again, topic="phoenix", event="heartbeat", ref="1")

    assert socket.close_code == 1001


async def test_changes_go_on_after_postgresql_was_away(connect: Connect) -> None:
    with Stack.start(port=None, tuning=QUICK) as stack:
        execute(stack, GRANTS)
        ear = await Ear(await connect(stack, "service"), "restart").on_changes().listen()

        stack.cluster.restart("immediate")
        assert (await ear.next("system"))["message"] == "Subscribed to PostgreSQL"
        run_id = insert_run(stack)

        assert (await ear.next("change"))["record"]["id"] == run_id


# Broadcast ----------------------------------------------------------------------------------------------------


async def test_a_broadcast_reaches_the_others_and_not_oneself(stack: Stack, connect: Connect) -> None:
    speaker = await Ear(await connect(stack), "room").on_broadcast().subscribe()
    listener = await Ear(await connect(stack), "room").on_broadcast().subscribe()

    await speaker.channel.send_broadcast("greeting", {"text": "bonjour"})
    await listener.channel.send_broadcast("answer", {"text": "bonsoir"})

    assert (await listener.next("broadcast"))["payload"] == {"text": "bonjour"}
    assert (await speaker.next("broadcast"))["event"] == "answer"


async def test_a_channel_that_asks_for_it_hears_its_own_echo(stack: Stack, connect: Connect) -> None:
    params = {"config": {"broadcast": {"self": True, "ack": False}, "presence": None, "private": False}}
    ear = await Ear(await connect(stack), "echo", params).on_broadcast("beat").subscribe()

    await ear.channel.send_broadcast("beat", {"nonce": 42})

    assert (await ear.next("broadcast"))["payload"] == {"nonce": 42}


async def test_a_broadcast_by_rest_reaches_the_members(stack: Stack, connect: Connect, http: httpx.AsyncClient) -> None:
    client = await connect(stack)
    ear = await Ear(client, "hq-notifications").on_broadcast().subscribe()
    message = {"topic": "hq-notifications", "event": "run_completed", "payload": {"run_type": "x"}, "private": False}

    answer = await http.post(
        f"{stack.url}/realtime/v1/api/broadcast",
        json={"messages": [message]},
        headers={"apikey": stack.publishable_key},
    )
    assert answer.status_code == 202
    assert (await ear.next("broadcast"))["event"] == "run_completed"

    await client.channel("hq-notifications").http_send("alert", {"urgency": "high"})
    assert (await ear.next("broadcast"))["payload"] == {"urgency": "high"}


# Tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda stack: stack.mint_token(expires_in=-60), "InvalidJWTToken: Token has expired 60 seconds ago"),
        (lambda stack: stack.mint_token(expires_in=-60, legacy=True), "InvalidJWTToken: Token has expired"),
        (lambda stack: stack.mint_token()[:-8] + "AAAAAAAA", "JwtSignatureError: Failed to validate JWT signature"),
        (lambda _stack: "nonsense", "MalformedJWT: The token provided is not a valid JWT"),
    ],
)
async def test_a_bad_token_is_refused_at_the_join(
    stack: Stack, connect: Connect, spoil: Callable[[Stack], str], reason: str
) -> None:
    client = await connect(stack)
    await client.realtime.set_auth(spoil(stack))

    ear = await Ear(client, "refused").subscribe()

    assert reason in await ear.next_state("CHANNEL_ERROR")


async def test_a_private_channel_is_refused(stack: Stack, connect: Connect) -> None:
    params = {"config": {"broadcast": None, "presence": None, "private": True}}

    ear = await Ear(await connect(stack, "owner"), "private", params).subscribe()

    assert "You do not have permissions to read from this Channel topic" in await ear.next_state("CHANNEL_ERROR")


async def test_a_token_that_expires_ends_the_channel_aloud(stack: Stack, connect: Connect) -> None:
    client = await connect(stack)
    await client.realtime.set_auth(stack.mint_token(expires_in=2.5))
    ear = await Ear(client, "expiring").subscribe()
    await ear.next_state("SUBSCRIBED")

    assert "Token has expired" in await ear.next_state("CHANNEL_ERROR")
    await ear.next_state("CLOSED")


async def test_a_renewed_token_keeps_the_channel(stack: Stack, connect: Connect) -> None:
    client = await connect(stack)
    await client.realtime.set_auth(stack.mint_token("service_role", expires_in=2.5))
    expires = time.time() + 2.5
    ear = await Ear(client, "renewed").on_changes().listen()

    await client.realtime.set_auth(stack.mint_token("service_role"))
    await ear.next("system")  # the server subscribes again in the new name
    await asyncio.sleep(max(0, expires - time.time()) + 0.1)
    run_id = insert_run(stack)

    assert (await ear.next("change"))["record"]["id"] == run_id
    assert ear.heard_nothing_of("state")


async def test_a_renewed_token_of_another_person_changes_what_is_seen(stack: Stack, connect: Connect) -> None:
    client, viewer = await connect(stack, "owner"), await connect(stack, "viewer")
    ear = await Ear(client, "downgraded").on_changes().listen()

    session = await viewer.auth.get_session()
    assert session is not None
    await client.realtime.set_auth(session.access_token)
    await ear.next("system")
    run_id = insert_run(stack)
    execute(stack, "delete from hq.runs where id = %s", [run_id])

    assert (await ear.next("change"))["type"].value == "DELETE"


async def test_a_secret_key_opens_realtime_as_the_service(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, key=stack.secret_key), "secret").on_changes().listen()

    run_id = insert_run(stack)

    assert (await ear.next("change"))["record"]["id"] == run_id


# The wire itself, version 1.0.0 -------------------------------------------------------------------------------


async def open_socket(stack: Stack, *, key: str | None = None) -> websockets.ClientConnection:
    url = f"{stack.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0&apikey={key or stack.anon_key}"
    return await websockets.connect(url)


async def exchange(socket: Connection, **frame: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"ref": None, "payload": {}, **frame}))
    return dict(json.loads(await socket.recv()))


async def test_a_heartbeat_is_answered(stack: Stack) -> None:
    async with await open_socket(stack) as socket:
        reply = await exchange(socket, topic="phoenix", event="heartbeat", ref="7")

    assert reply == {
        "topic": "phoenix",
        "event": "phx_reply",
        "payload": {"status": "ok", "response": {}},
        "ref": "7",
    }


async def test_a_join_is_answered_with_the_bindings_in_order_and_numbered(stack: Stack) -> None:
    asked = [{"event": "*", "schema": "hq", "table": "runs"}, {"event": "INSERT", "schema": "hq"}]
    config = {"config": {"postgres_changes": asked, "broadcast": {}, "presence": {}}}

    async with await open_socket(stack) as socket:
        reply = await exchange(socket, topic="realtime:x", event="phx_join", payload=config, ref="1")

    bindings = reply["payload"]["response"]["postgres_changes"]
    assert [{name: binding[name] for name in asked[i]} for i, binding in enumerate(bindings)] == asked
    assert len({binding["id"] for binding in bindings}) == 2


async def test_leaving_is_answered_and_closes_the_channel(stack: Stack) -> None:
    async with await open_socket(stack) as socket:
        await exchange(socket, topic="realtime:x", event="phx_join", ref="1")
        left = await exchange(socket, topic="realtime:x", event="phx_leave", ref="2")
        closed = json.loads(await socket.recv())
        unknown = await exchange(socket, topic="realtime:x", event="broadcast", ref="3")

    assert (left["payload"]["status"], left["ref"]) == ("ok", "2")
    assert (closed["event"], closed["ref"]) == ("phx_close", "1")
    assert unknown["payload"] == {"status": "error", "response": {"reason": "unmatched topic"}}


async def test_a_second_join_of_a_topic_replaces_the_first(stack: Stack) -> None:
    async with await open_socket(stack) as socket:
        await exchange(socket, topic="realtime:x", event="phx_join", ref="1")
        joined = await exchange(socket, topic="realtime:x", event="phx_join", ref="2")
        closed = json.loads(await socket.recv())

    assert (joined["payload"]["status"], joined["ref"]) == ("ok", "2")
    assert (closed["event"], closed["ref"]) == ("phx_close", "1")


async def test_nonsense_on_the_wire_does_not_end_the_socket(stack: Stack) -> None:
    async with await open_socket(stack) as socket:
        for nonsense in ("nonsense", "[]", '{"topic": "realtime:x", "event": "phx_join", "payload": 1}', b"\x09", b""):
            await socket.send(nonsense)

        assert (await exchange(socket, topic="phoenix", event="heartbeat", ref="1"))["ref"] == "1"


async def test_refused_sockets_are_let_in_again_afterwards(open_stack: OpenStack) -> None:
    with open_stack() as stack:
        stack.realtime.refuse_sockets(60)
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await open_socket(stack)
        stack.realtime.refuse_sockets(0)
        async with await open_socket(stack):
            statistics = stack.realtime.statistics()

    assert refusal.value.response.status_code == 503
    assert (statistics["sockets_refused"], statistics["sockets_open"]) == (1, 1)


async def test_a_frozen_socket_neither_reads_nor_writes_until_it_thaws(stack: Stack, http: httpx.AsyncClient) -> None:
    async with await open_socket(stack) as socket:
        await exchange(socket, topic="realtime:frozen", event="phx_join", ref="1")
        stack.realtime.freeze_sockets(0.5)
        frozen = time.monotonic()

        pong = await socket.ping()  # whoever reads answers it
        await http.post(
            f"{stack.url}/realtime/v1/api/broadcast",
            json={"messages": [{"topic": "frozen", "event": "e", "payload": {}}]},
            headers={"apikey": stack.anon_key},
        )
        await socket.recv()

        assert time.monotonic() - frozen > 0.3
        assert await pong > 0.3


async def test_realtime_counts_what_happens(open_stack: OpenStack, connect: Connect) -> None:
    with open_stack() as stack:
        await Ear(await connect(stack, "service"), "counted").on_changes().listen()
        statistics = stack.realtime.statistics()

    assert (statistics["sockets"], statistics["joins"], statistics["channels"]) == (1, 1, 1)
    assert statistics["heartbeats"] >= 1
