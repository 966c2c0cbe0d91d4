"""Realtime, as far as this project uses it: channels over WebSocket, database changes, broadcasts.

Two ports on the loopback interface: one for WebSockets, one for HTTP (REST broadcasts, health, and `/control`, which
lets tests break the sockets and change the ways of the service).
Run: `python -m devstack.realtime --port N --socket-port M`, settings in the environment (see `Settings`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import struct
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from devstack.changes import ChangeFeed
from devstack.channel import Channel, JoinError
from devstack.keys import Keys, TokenError
from devstack.phoenix import Frame, FrameError, Version, decode, encode
from devstack.presence import Presence
from devstack.private_channels import Permissions, read_permissions
from devstack.processes import HOST
from devstack.realtime_http import build_app
from devstack.subscriptions import Claims, Subscriber, number_of
from devstack.ways import RealtimeWays

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

_log = logging.getLogger("devstack.realtime")

_MAX_FRAME_BYTES = 3 * 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    database_url: str
    data_dir: Path
    ways: RealtimeWays

    @classmethod
    def from_environment(cls) -> Settings:
        """Read DEVSTACK_DATABASE_URL, DEVSTACK_DATA and REALTIME_WAYS, which is JSON."""
        return cls(
            database_url=os.environ["DEVSTACK_DATABASE_URL"],
            data_dir=Path(os.environ["DEVSTACK_DATA"]),
            ways=RealtimeWays(**json.loads(os.environ.get("REALTIME_WAYS", "{}"))),
        )


@dataclass
class Statistics:
    """What has happened since the service started."""

    sockets: int = 0
    sockets_refused: int = 0
    joins: int = 0
    joins_refused: int = 0
    heartbeats: int = 0
    broadcasts: int = 0
    changes_sent: int = 0


@dataclass
class Realtime:
    """The state that all sockets share."""

    keys: Keys
    settings: Settings
    statistics: Statistics = field(default_factory=Statistics)
    sockets: set[Socket] = field(default_factory=set)
    topics: dict[str, set[Channel]] = field(default_factory=lambda: defaultdict(set))
    presences: dict[str, Presence] = field(default_factory=lambda: defaultdict(Presence))
    refusing_until: float = 0.0

    def __post_init__(self) -> None:
        self.ways = self.settings.ways
        self.changes = ChangeFeed(
            self.settings.database_url,
            draw_pause=lambda: random.uniform(*self.ways.poll_seconds),
            on_lost=self._subscribe_again,
        )
        self._events: deque[float] = deque()

    def tune(self, **ways: Any) -> None:  # noqa: ANN401 - the fields of RealtimeWays
        """Change how clients are treated from now on."""
        self.ways = replace(self.ways, **ways)

    def count_event(self) -> bool:
        """Count a message that somebody sends; return False when it is one too many in this second."""
        now = time.monotonic()
        while self._events and self._events[0] < now - 1:
            self._events.popleft()
        self._events.append(now)
        return len(self._events) <= self.ways.events_per_second

    @staticmethod
    def _subscribe_again(lost: list[Subscriber]) -> None:
        for subscriber in lost:
            assert isinstance(subscriber, Channel)
            subscriber.start_subscribing()

    async def read_permissions(self, claims: Claims, name: str) -> Permissions:
        """Return what a caller may do on a private topic."""
        return await read_permissions(self.settings.database_url, claims, name)

    def broadcast(self, room: str, payload: dict[str, Any], *, besides: Channel | None = None) -> None:
        """Send a message to the members of a topic, private or not."""
        self.statistics.broadcasts += 1
        for channel in list(self.topics.get(room, ())):
            if channel is not besides:
                channel.send("broadcast", payload)

    async def screen(self, connection: ServerConnection, request: Request) -> Response | None:
        """Accept a socket, or answer why not."""
        if time.monotonic() < self.refusing_until:
            self.statistics.sockets_refused += 1
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Realtime refuses sockets for a while\n")
        try:
            self.keys.verify(_query(request, "apikey"))
        except TokenError as error:
            self.statistics.sockets_refused += 1
            await asyncio.sleep(self.ways.refused_socket_seconds)
            return connection.respond(HTTPStatus.FORBIDDEN, f"{error}\n")
        return None

    async def serve_socket(self, connection: ServerConnection) -> None:
        """Serve one client until it leaves."""
        assert connection.request is not None
        version: Version = "2.0.0" if _query(connection.request, "vsn") == "2.0.0" else "1.0.0"
        socket = Socket(self, connection, version, _query(connection.request, "apikey"))
        self.sockets.add(socket)
        self.statistics.sockets += 1
        try:
            await socket.run()
        finally:
            self.sockets.discard(socket)


def _query(request: Request, name: str) -> str:
    return parse_qs(urlsplit(request.path).query).get(name, [""])[0]


class Socket:
    """One client and its channels."""

    def __init__(self, realtime: Realtime, connection: ServerConnection, version: Version, token: str) -> None:
        self.realtime = realtime
        self.connection = connection
        self.token = token
        self.channels: dict[str, Channel] = {}
        self._version: Version = version
        self._outbox: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._thawed = asyncio.Event()
        self._thawed.set()

    async def run(self) -> None:
        """Read frames until the connection ends."""
        writer = asyncio.create_task(self._write())
        try:
            async for data in self.connection:
                try:
                    await self._handle(decode(data, self._version))
                except FrameError as error:
                    _log.warning("%s", error)
        except ConnectionClosed:
            pass  # an end without a closing handshake is an end all the same
        finally:
            writer.cancel()
            for channel in list(self.channels.values()):
                channel.end()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await self._outbox.get()
                await self._thawed.wait()
                await self.connection.send(data)

    def send(self, frame: Frame) -> None:
        """Queue a frame: a slow client must not hold up the others."""
        data = encode(frame, self._version)
        if data is not None:
            self._outbox.put_nowait(data)

    def reply(self, to: Frame, status: str, response: dict[str, Any]) -> None:
        """Answer a client's frame."""
        payload = {"status": status, "response": response}
        self.send(Frame(to.topic, "phx_reply", payload, to.ref, to.join_ref))

    def cut(self) -> None:
        """End the connection by a reset, as when a machine on the way gives up."""
        linger_no_time = struct.pack("ii", 1, 0)
        self.connection.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger_no_time)
        self.connection.transport.abort()

    async def freeze(self, seconds: float) -> None:
        """Neither read nor write for a while, as a half-open connection."""
        self._thawed.clear()
        self.connection.transport.pause_reading()
        await asyncio.sleep(seconds)
        self.connection.transport.resume_reading()
        self._thawed.set()

    async def _handle(self, frame: Frame) -> None:
        channel = self.channels.get(frame.topic)
        if frame.event == "heartbeat":
            self.realtime.statistics.heartbeats += 1
            self.reply(frame, "ok", {})
        elif frame.event == "phx_join":
            await self._join(frame)
        elif channel is None:
            self.reply(frame, "error", {"reason": "unmatched topic"})
        else:
            channel.handle(frame)

    async def _join(self, frame: Frame) -> None:
        """Answer a join; what the client sends meanwhile waits, as it does with Phoenix."""
        await self._wait(self.realtime.ways.first_join_seconds)
        self.realtime.tune(first_join_seconds=0.0)
        previous = self.channels.get(frame.topic)
        if previous is not None:
            previous.end()
        try:
            channel = Channel(self, frame)
            await channel.authorize()
        except JoinError as error:
            self.realtime.statistics.joins_refused += 1
            await self._wait(self.realtime.ways.refused_join_seconds)
            self.reply(frame, "error", {"reason": str(error)})
        else:
            self.realtime.statistics.joins += 1
            self.channels[frame.topic] = channel
            numbered = [{**asked, "id": number_of(asked)} for asked in channel.asked]
            self.reply(frame, "ok", {"postgres_changes": numbered})
            channel.start()
        if previous is not None:
            previous.say_closed()  # after the answer to the new join: so does Phoenix

    async def _wait(self, seconds: float) -> None:
        """Wait, or until the client is gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.connection.wait_closed()


async def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="devstack.realtime")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--socket-port", type=int, required=True)
    ports = parser.parse_args()
    settings = Settings.from_environment()
    realtime = Realtime(Keys.open(settings.data_dir), settings)
    sockets = serve(
        realtime.serve_socket,
        HOST,
        ports.socket_port,
        process_request=realtime.screen,
        compression=None,
        ping_interval=None,  # the hosted server sends no pings: its clients beat
        close_timeout=1,
        max_size=_MAX_FRAME_BYTES,
    )
    app = uvicorn.Config(
        build_app(realtime), HOST, ports.port, log_level="warning", lifespan="off", timeout_keep_alive=75
    )
    # uvicorn raises the signal again when it has stopped, and by default that would end us before the sockets are
    # closed.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    async with sockets, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(realtime.changes.run())
        await uvicorn.Server(app).serve()
        reading.cancel()


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    asyncio.run(main())
