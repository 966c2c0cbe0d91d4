"""The one address: keys, CORS, streams, and what it says when a service is away."""

from __future__ import annotations

import asyncio
import json
import struct
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING

import httpx
import pytest
import websockets
from support.clients import Ear, Puppet, execute

from devstack.stack import OWNER_EMAIL, OWNER_PASSWORD, Stack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from supabase import AsyncClient

    Connect = Callable[..., Awaitable[AsyncClient]]
    JavaScript = Callable[..., Awaitable[Puppet]]
    OpenStack = Callable[..., AbstractContextManager[Stack]]

ASKED_HEADERS = (
    "accept-profile,apikey,authorization,content-profile,content-type,prefer,x-client-info,x-supabase-api-version"
)
PATHS = ["/auth/v1/token", "/rest/v1/rpc/x", "/realtime/v1/api/broadcast", "/functions/v1/executive-run", "/else"]


# Keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/rest/v1/user_roles", "/realtime/v1/api/broadcast"])
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "No API key found in request"),
        ({"apikey": "sb_secret_unknown"}, "Invalid API key"),
        ({"authorization": "Bearer {service}"}, "No API key found in request"),
    ],
)
async def test_data_is_not_served_without_a_known_key(
    stack: Stack, http: httpx.AsyncClient, path: str, headers: dict[str, str], message: str
) -> None:
    headers = {name: value.format(service=stack.service_role_key) for name, value in headers.items()}

    answer = await http.post(stack.url + path, json={}, headers=headers)

    assert (answer.status_code, answer.json()["message"]) == (401, message)


async def test_each_key_speaks_for_its_role(stack: Stack, http: httpx.AsyncClient) -> None:
    execute(
        stack,
        "create function public.who_am_i() returns text language sql stable as 'select current_user::text';"
        " grant execute on function public.who_am_i to anon, authenticated, service_role",
    )

    async def ask(headers: dict[str, str]) -> str:
        for _ in range(50):  # PostgREST is notified of the new function, and reloads in its own time
            answer = await http.post(f"{stack.url}/rest/v1/rpc/who_am_i", headers=headers)
            if answer.status_code != 404:
                break
            await asyncio.sleep(0.02)
        return str(answer.json())

    for key in (stack.anon_key, stack.publishable_key):
        assert await ask({"apikey": key}) == "anon"
    for key in (stack.service_role_key, stack.secret_key):
        assert await ask({"apikey": key}) == "service_role"
        assert await ask({"apikey": key, "authorization": f"Bearer {key}"}) == "service_role"
    token = stack.mint_token("authenticated", sub="00000000-0000-4000-8000-000000000000")
    assert await ask({"apikey": stack.publishable_key, "authorization": f"Bearer {token}"}) == "authenticated"


async def test_both_official_clients_work_with_the_newer_keys(
    stack: Stack, connect: Connect, javascript: JavaScript
) -> None:
    service = await connect(stack, key=stack.secret_key)
    page = await javascript(stack, key=stack.publishable_key)

    assert (await service.table("user_roles").select("role").execute()).data
    await page.ask("signIn", email=OWNER_EMAIL, password=OWNER_PASSWORD)
    answer = await page.ask("select", table="user_roles", columns="role")
    assert {"role": "owner"} in answer["data"]


@pytest.mark.parametrize("query", ["", "apikey=sb_publishable_unknown"])
async def test_a_socket_without_a_known_key_is_refused(stack: Stack, query: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        await websockets.connect(f"{stack.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=2.0.0&{query}")

    assert refusal.value.response.status_code == 401


# CORS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_answers_a_preflight(stack: Stack, http: httpx.AsyncClient, path: str) -> None:
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": ASKED_HEADERS,
    }

    answer = await http.options(stack.url + path, headers=headers)

    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == ASKED_HEADERS
    allowed = answer.headers["access-control-allow-methods"]
    assert {"GET", "HEAD", "POST", "PATCH", "DELETE"} <= set(allowed.split(", "))


async def test_a_page_may_read_the_count_of_rows(stack: Stack, http: httpx.AsyncClient, javascript: JavaScript) -> None:
    page = await javascript(stack, key=stack.service_role_key)
    headers = {"apikey": stack.service_role_key, "prefer": "count=exact", "origin": "https://app.example"}

    answer = await http.head(f"{stack.url}/rest/v1/contact_messages?select=id", headers=headers)

    assert "Content-Range" in answer.headers["access-control-expose-headers"]
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    total = int(answer.headers["content-range"].partition("/")[2])
    assert await page.ask("count", table="contact_messages") == total


@pytest.mark.parametrize("path", ["/rest/v1/", "/auth/v1/user", "/functions/v1/x", "/else"])
async def test_a_page_may_read_refusals(stack: Stack, http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(stack.url + path, headers={"origin": "https://app.example"})

    assert answer.status_code >= 400
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()


# Functions ----------------------------------------------------------------------------------------------------


async def test_functions_get_the_request_as_it_came_and_stream_their_answer(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    more = asyncio.Event()
    seen: dict[str, str] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen["line"], _, headers = request.partition("\r\n")
        for line in headers.strip().split("\r\n"):
            name, value = line.lower().split(": ", 1)
            seen[name] = value
        seen["body"] = (await reader.readexactly(int(seen["content-length"]))).decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: 1\n\n")
        await writer.drain()
        await more.wait()
        writer.write(b"data: 2\n\n")
        await writer.drain()
        writer.close()

    port = stack.functions_port
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        headers = {"apikey": stack.publishable_key, "authorization": f"Bearer {stack.publishable_key}", "x-mine": "1"}
        url = f"{stack.url}/functions/v1/hq-chat?a=b"
        async with http.stream("POST", url, content=b"hello", headers=headers) as answer:
            chunks = answer.aiter_raw()
            assert await anext(chunks) == b"data: 1\n\n"
            more.set()
            assert await anext(chunks) == b"data: 2\n\n"

    assert seen["line"] == "POST /functions/v1/hq-chat?a=b HTTP/1.1"
    assert (seen["body"], seen["x-mine"]) == ("hello", "1")
    # The hosted gateway leaves newer keys to the function, which has to know them.
    assert seen["apikey"] == stack.publishable_key.lower()


async def test_a_cut_answer_is_not_completed_by_the_gateway(stack: Stack, http: httpx.AsyncClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")
        await writer.drain()
        writer.transport.abort()

    port = stack.functions_port
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            await http.get(f"{stack.url}/functions/v1/x")


# Services that are away ---------------------------------------------------------------------------------------


async def test_functions_that_nobody_serves_are_reported_as_such(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{stack.url}/functions/v1/executive-run", json={})

    assert answer.status_code == 503
    assert "start the workers or the relay" in answer.json()["message"]


async def test_a_stopped_postgrest_is_a_503_until_it_is_back(open_stack: OpenStack, http: httpx.AsyncClient) -> None:
    with open_stack() as stack:
        url, headers = f"{stack.url}/rest/v1/user_roles", {"apikey": stack.anon_key}
        before = await http.get(url, headers=headers)

        stack.stop_postgrest()
        away = await http.get(url, headers=headers)
        stack.start_postgrest()
        after = await http.get(url, headers=headers)

    assert (before.status_code, away.status_code, after.status_code) == (200, 503, 200)
    assert away.json() == {"code": "UPSTREAM_UNAVAILABLE", "message": "The rest service is not running."}


async def test_a_socket_to_a_dead_realtime_is_refused_with_503(open_stack: OpenStack) -> None:
    with open_stack() as stack:
        stack.kill_realtime()
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await websockets.connect(f"{stack.url.replace('http', 'ws')}/realtime/v1/websocket?apikey={stack.anon_key}")

    assert refusal.value.response.status_code == 503
    assert json.loads(refusal.value.response.body or b"")["message"] == "The realtime service is not running."


async def test_a_tunnel_ends_with_either_of_its_sides(open_stack: OpenStack) -> None:
    with open_stack() as stack:
        url = f"{stack.url.replace('http', 'ws')}/realtime/v1/websocket?apikey={stack.anon_key}"
        leaving, staying = await websockets.connect(url), await websockets.connect(url)

        # A reset, as from a client whose machine went away, and not a polite end.
        leaving.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        leaving.transport.abort()
        while stack.realtime.statistics()["sockets_open"] == 2:  # noqa: ASYNC110 - it is another process's state
            await asyncio.sleep(0.01)
        stack.kill_realtime()
        await asyncio.wait_for(staying.wait_closed(), 5)

    assert staying.close_code == 1006


# Throughput ---------------------------------------------------------------------------------------------------


async def test_many_requests_at_once_are_all_answered(stack: Stack, http: httpx.AsyncClient) -> None:
    url, headers = f"{stack.url}/rest/v1/user_roles?select=role", {"apikey": stack.anon_key}

    answers = await asyncio.gather(*(http.get(url, headers=headers) for _ in range(300)))

    assert {answer.status_code for answer in answers} == {200}


async def test_realtime_works_through_the_same_address(stack: Stack, connect: Connect) -> None:
    ear = await Ear(await connect(stack, key=stack.publishable_key), "same-address").subscribe()

    await ear.next_state("SUBSCRIBED")
