"""Realtime as the deployed page meets it: supabase-js, protocol version 2.0.0, binary broadcasts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from support.clients import Ear, Puppet, execute, insert_run
from support.people import VIEWER_EMAIL, VIEWER_PASSWORD

from devstack import ways
from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack, Tuning

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    import httpx
    from supabase import AsyncClient

    Connect = Callable[..., Awaitable[AsyncClient]]
    JavaScript = Callable[..., Awaitable[Puppet]]
    OpenStack = Callable[..., AbstractContextManager[Stack]]

RUNS = {"event": "*", "schema": "hq", "table": "runs"}


async def listen(page: Puppet, *changes: dict[str, Any]) -> None:
    """Join as the monitoring page does, and wait until database changes are announced."""
    await page.order("subscribe", topic="hq-runs-realtime", changes=changes or [RUNS])
    await page.next_state("SUBSCRIBED")
    assert (await page.next("system"))["status"] == "ok"


async def test_the_owners_page_hears_of_insert_update_and_delete(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.ask("signIn", email=OWNER_EMAIL, password=OWNER_PASSWORD)
    await listen(page)

    run_id = insert_run(stack, status="pending")
    inserted = await page.next("change")
    execute(stack, "update hq.runs set status = 'running' where id = %s", [run_id])
    updated = await page.next("change")
    execute(stack, "delete from hq.runs where id = %s", [run_id])
    deleted = await page.next("change")

    assert [change["eventType"] for change in (inserted, updated, deleted)] == ["INSERT", "UPDATE", "DELETE"]
    assert inserted["new"].keys() == {"id", "run_type", "status", "created_at"}
    assert (inserted["old"], inserted["errors"]) == ({}, None)
    assert (updated["new"]["status"], updated["old"]) == ("running", {"id": run_id})
    assert (deleted["new"], deleted["old"]) == ({}, {"id": run_id})


async def test_a_viewers_page_does_not_see_the_row(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.ask("signIn", email=VIEWER_EMAIL, password=VIEWER_PASSWORD)
    await listen(page)

    run_id = insert_run(stack)
    execute(stack, "delete from hq.runs where id = %s", [run_id])

    assert (await page.next("change"))["eventType"] == "DELETE"


async def test_without_the_grants_the_page_learns_that_something_happened_and_nothing_else(
    open_stack: OpenStack, javascript: JavaScript
) -> None:
    with open_stack(grants=False) as stack:
        page = await javascript(stack)
        await page.ask("signIn", email=OWNER_EMAIL, password=OWNER_PASSWORD)
        await listen(page)

        insert_run(stack)

        change = await page.next("change")
        assert (change["eventType"], change["errors"]) == ("INSERT", ["Error 401: Unauthorized"])
        assert (change["new"], change["old"]) == ({}, {})


async def test_several_bindings_each_hear_their_own(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack, key=stack.service_role_key)
    pending = {"event": "INSERT", "schema": "hq", "table": "runs", "filter": "status=eq.pending"}
    await listen(page, pending, {"event": "DELETE", "schema": "hq", "table": "runs"})

    insert_run(stack, status="failed")
    run_id = insert_run(stack, status="pending")
    execute(stack, "delete from hq.runs where id = %s", [run_id])

    heard = [await page.next("change"), await page.next("change")]
    assert [change["eventType"] for change in heard] == ["INSERT", "DELETE"]
    assert heard[0]["new"]["id"] == run_id


async def test_what_commits_before_the_announcement_is_not_told(open_stack: OpenStack, javascript: JavaScript) -> None:
    with open_stack(tuning=Tuning(realtime=replace(ways.QUICK, subscribe_delay=(0.3, 0.3)))) as stack:
        page = await javascript(stack, key=stack.secret_key)
        await page.order("subscribe", topic="late", changes=[RUNS])
        await page.next_state("SUBSCRIBED")

        insert_run(stack)
        await page.next("system")
        reported = insert_run(stack)

        assert (await page.next("change"))["new"]["id"] == reported


async def test_broadcasts_cross_between_the_two_clients(stack: Stack, javascript: JavaScript, connect: Connect) -> None:
    page = await javascript(stack)
    await page.order("subscribe", topic="hq-notifications", config={"broadcast": {"ack": True, "self": True}})
    await page.next_state("SUBSCRIBED")
    worker = await Ear(await connect(stack), "hq-notifications").on_broadcast().subscribe()

    assert await page.ask("send", event="run_completed", payload={"run_type": "é"}) == "ok"
    assert (await worker.next("broadcast"))["payload"] == {"run_type": "é"}

    await worker.channel.send_broadcast("alert", {"urgency": "high"})
    assert await page.next("broadcast") == {"type": "broadcast", "event": "alert", "payload": {"urgency": "high"}}


async def test_a_channel_that_asks_for_it_hears_its_own_broadcast(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.order("subscribe", topic="echo", config={"broadcast": {"self": True}})
    await page.next_state("SUBSCRIBED")

    await page.order("send", event="greeting", payload={"n": 1})

    assert (await page.next("broadcast"))["payload"] == {"n": 1}


async def test_a_broadcast_by_rest_reaches_both_clients(stack: Stack, javascript: JavaScript, connect: Connect) -> None:
    page, sender = await javascript(stack), await javascript(stack)
    await page.order("subscribe", topic="by-rest")
    await page.next_state("SUBSCRIBED")
    worker = await Ear(await connect(stack), "by-rest").on_broadcast().subscribe()

    answer = await sender.ask("httpSend", topic="by-rest", event="alert", payload={"message": "m"})

    assert answer == {"success": True}
    assert (await page.next("broadcast"))["payload"] == {"message": "m"}
    assert (await worker.next("broadcast"))["payload"] == {"message": "m"}


async def test_bytes_reach_the_client_that_can_read_them(
    stack: Stack, javascript: JavaScript, http: httpx.AsyncClient
) -> None:
    page = await javascript(stack)
    await page.order("subscribe", topic="bytes")
    await page.next_state("SUBSCRIBED")

    answer = await http.post(
        f"{stack.url}/realtime/v1/api/broadcast/bytes/events/raw",
        content=b"\x00\x01",
        headers={"apikey": stack.anon_key, "content-type": "application/octet-stream"},
    )

    assert answer.status_code == 202
    assert (await page.next("broadcast"))["event"] == "raw"


async def test_heartbeats_are_answered(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack, heartbeatIntervalMs=50)
    await page.order("subscribe", topic="beating")
    await page.next_state("SUBSCRIBED")

    assert [await page.next("heartbeat") for _ in range(4)] == ["sent", "ok", "sent", "ok"]


@pytest.mark.parametrize("code", [1000, 1001, None])
async def test_the_page_joins_again_after_its_socket_ends(
    open_stack: OpenStack, javascript: JavaScript, code: int | None
) -> None:
    with open_stack() as stack:
        page = await javascript(stack, key=stack.service_role_key, reconnect_ms=50)
        await listen(page)

        if code is None:
            stack.realtime.cut_sockets()
        else:
            stack.realtime.close_sockets(code)
        await page.next_state("CHANNEL_ERROR")
        await page.next_state("SUBSCRIBED")
        await page.next("system")
        run_id = insert_run(stack)

        assert (await page.next("change"))["new"]["id"] == run_id


async def test_an_expired_token_is_refused_at_the_join(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.ask("setAuth", token=stack.mint_token(expires_in=-60))

    await page.order("subscribe", topic="expired")

    assert "InvalidJWTToken: Token has expired" in (await page.next_state("CHANNEL_ERROR"))["error"]


async def test_a_token_that_expires_ends_the_channel_aloud(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.ask("setAuth", token=stack.mint_token(expires_in=3))
    await page.order("subscribe", topic="expiring")
    await page.next_state("SUBSCRIBED")

    complaint = await page.next("system")
    await page.next_state("CLOSED")

    assert (complaint["extension"], complaint["status"]) == ("system", "error")
    assert "Token has expired" in complaint["message"]


async def test_leaving_is_confirmed(stack: Stack, javascript: JavaScript) -> None:
    page = await javascript(stack)
    await page.order("subscribe", topic="diagnostics-test")
    await page.next_state("SUBSCRIBED")

    assert await page.ask("leave") == "ok"
