"""The HTTP API of Realtime: broadcasts by REST, and the controls by which tests break it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devstack.channel import room_of
from devstack.keys import TokenError

if TYPE_CHECKING:
    from starlette.requests import Request

    from devstack.realtime import Realtime
    from devstack.subscriptions import Claims


def build_app(realtime: Realtime) -> Starlette:
    """Build the ASGI application around the running service."""
    api = _HttpApi(realtime)
    return Starlette(
        routes=[
            Route("/health", api.report, methods=["GET"]),
            Route("/members", api.count_members, methods=["GET"]),
            Route("/control", api.control, methods=["POST"]),
            Route("/api/broadcast", api.broadcast, methods=["POST"]),
            Route("/api/broadcast/{topic}/events/{event}", api.broadcast_one, methods=["POST"]),
        ]
    )


class _HttpApi:
    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime
        self._tasks: set[asyncio.Task[None]] = set()

    async def report(self, _request: Request) -> Response:
        """Return how many are connected, and what has happened so far."""
        channels = sum(len(socket.channels) for socket in self._realtime.sockets)
        now = {"sockets_open": len(self._realtime.sockets), "channels": channels}
        return JSONResponse(asdict(self._realtime.statistics) | now)

    async def count_members(self, _request: Request) -> Response:
        """Return how many are on each topic."""
        return JSONResponse({topic: len(members) for topic, members in self._realtime.topics.items() if members})

    async def broadcast(self, request: Request) -> Response:
        """Send messages to topics: `{"messages": [{"topic", "event", "payload", "private"}]}`."""
        if (refusal := self._refuse(request)) is not None:
            return refusal
        body = await request.json()
        messages = body.get("messages")
        if not isinstance(messages, list) or not all({"topic", "event", "payload"} <= set(m) for m in messages):
            return JSONResponse({"errors": {"messages": ["is invalid"]}}, 422)
        if sum(self._realtime.count_event() for _ in messages) < len(messages):
            return JSONResponse({"message": "You have exceeded your rate limit"}, 429)
        for message in messages:
            await self._send(request, message["topic"], message, is_private=bool(message.get("private")))
        return Response(status_code=202)

    async def broadcast_one(self, request: Request) -> Response:
        """Send one message, its payload being the body, JSON or bytes."""
        if (refusal := self._refuse(request)) is not None:
            return refusal
        if not self._realtime.count_event():
            return JSONResponse({"message": "You have exceeded your rate limit"}, 429)
        is_binary = request.headers.get("content-type", "").startswith("application/octet-stream")
        payload = await request.body() if is_binary else await request.json()
        message = {"event": request.path_params["event"], "payload": payload}
        is_private = request.query_params.get("private") == "true"
        await self._send(request, request.path_params["topic"], message, is_private=is_private)
        return Response(status_code=202)

    def _refuse(self, request: Request) -> Response | None:
        try:
            self._verify(request)
        except TokenError:
            return JSONResponse({"message": "Unauthorized"}, 401)
        return None

    def _verify(self, request: Request) -> Claims:
        return self._realtime.keys.verify(request.headers.get("authorization", "").removeprefix("Bearer "))

    async def _send(self, request: Request, topic: str, message: dict[str, Any], *, is_private: bool) -> None:
        """Send a message where the sender may; it is answered 202 all the same where nobody can hear it."""
        if is_private:
            if not (await self._realtime.read_permissions(self._verify(request), topic)).speaks:
                return
        elif not self._realtime.ways.public_access:
            return
        payload = {"type": "broadcast", "event": message["event"], "payload": message["payload"]}
        self._realtime.broadcast(room_of(f"realtime:{topic}", is_private=is_private), payload)

    async def control(self, request: Request) -> Response:
        """Do harm: `close` with a `code`, `cut`, `refuse`, `freeze` or `lose` for some `seconds`, `tune`."""
        order = await request.json()
        sockets = list(self._realtime.sockets)
        match order["action"]:
            case "close":
                for socket in sockets:
                    self._start(socket.connection.close(order["code"], "closed by a test"))
            case "cut":
                for socket in sockets:
                    socket.cut()
            case "refuse":
                self._realtime.refusing_until = time.monotonic() + order["seconds"]
            case "freeze":
                for socket in sockets:
                    self._start(socket.freeze(order["seconds"]))
            case "lose":
                self._realtime.changes.losing_until = time.monotonic() + order["seconds"]
            case "tune":
                self._realtime.tune(**order["ways"])
            case unknown:
                return JSONResponse({"message": f"unknown action {unknown}"}, 400)
        return JSONResponse({"sockets": len(sockets)})

    def _start(self, work: Any) -> None:  # noqa: ANN401 - any coroutine
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
