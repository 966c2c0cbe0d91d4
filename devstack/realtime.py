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

import psycopg
import uvicorn
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from devstack.changes import ChangeFeed
from devstack.keys import ExpiredTokenError, Keys, TokenError
from devstack.phoenix import Frame, FrameError, Version, decode, encode
from devstack.presence import Presence
from devstack.processes import HOST
from devstack.realtime_http import build_app
from devstack.subscriptions import Binding, Claims, Subscriber, SubscriptionError, number_of
from devstack.ways import RealtimeWays

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

_log = logging.getLogger("devstack.realtime")

_MAX_FRAME_BYTES = 3 * 1024 * 1024
_TOPIC_PREFIX = "realtime:"


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

    def broadcast(self, topic: str, payload: dict[str, Any], *, besides: Channel | None = None) -> None:
        """Send a message to the members of a topic."""
        self.statistics.broadcasts += 1
        for channel in list(self.topics.get(topic, ())):
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


class JoinError(Exception):
    """A join that is refused, with the code and words of the hosted service."""


class Channel(Subscriber):
    """A client's membership of one topic."""

    def __init__(self, socket: Socket, join: Frame) -> None:
        config = join.payload.get("config") or {}
        self.topic = join.topic
        self.name = join.topic.removeprefix(_TOPIC_PREFIX)
        self.asked: list[dict[str, Any]] = [asked for asked in config.get("postgres_changes") or [] if asked]
        self._socket = socket
        self._realtime = socket.realtime
        self._join_ref = join.join_ref or join.ref
        self._wants_own, self._wants_ack = (bool((config.get("broadcast") or {}).get(name)) for name in ("self", "ack"))
        presence = config.get("presence") or {}
        self._wants_presence, self._presence_key = bool(presence.get("enabled")), str(presence.get("key") or "")
        self._expiry: asyncio.TimerHandle | None = None
        self._subscribing: asyncio.Task[None] | None = None
        if self.topic == _TOPIC_PREFIX or not self.topic.startswith(_TOPIC_PREFIX):
            raise JoinError("TopicNameRequired: You must provide a topic name")
        if config.get("private"):
            # Private channels depend on policies of realtime.messages, which this project does not use.
            raise JoinError(f"Unauthorized: You do not have permissions to read from this Channel topic: {self.name}")
        if not self._realtime.ways.public_access:
            raise JoinError("PrivateOnly: This project only allows private channels")
        token = str(join.payload.get("access_token") or "sb_")
        self._claims = self._verify(socket.token if token.startswith("sb_") else token)

    @property
    def claims(self) -> Claims:
        """Who listens."""
        return self._claims

    def _verify(self, token: str) -> Claims:
        try:
            claims = self._realtime.keys.verify(token)
        except ExpiredTokenError as error:
            raise JoinError(f"InvalidJWTToken: {error}") from error
        except TokenError as error:
            if "Signature" in str(error):
                raise JoinError("JwtSignatureError: Failed to validate JWT signature") from error
            raise JoinError("MalformedJWT: The token provided is not a valid JWT") from error
        if "role" not in claims or "exp" not in claims:
            raise JoinError("InvalidJWTToken: Fields `role` and `exp` are required in JWT")
        return claims

    def start(self) -> None:
        """Become a member."""
        self._realtime.topics[self.topic].add(self)
        self._watch_expiry()
        if self._wants_presence:
            self._realtime.presences[self.topic].watch(self)
        self.start_subscribing()

    def send(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event to the client."""
        if event == "postgres_changes":
            self._realtime.statistics.changes_sent += 1
        self._socket.send(Frame(self.topic, event, payload))

    def handle(self, frame: Frame) -> None:
        """Do what the client asks of its channel."""
        if frame.event == "phx_leave":
            self._socket.reply(frame, "ok", {})
            self.close()
        elif frame.event in {"broadcast", "presence"} and not self._realtime.count_event():
            self._shut_down("Too many messages per second")
        elif frame.event == "broadcast":
            self._realtime.broadcast(self.topic, frame.payload, besides=None if self._wants_own else self)
            if self._wants_ack:
                self._socket.reply(frame, "ok", {})
        elif frame.event == "presence":
            self._track(frame)
        elif frame.event == "access_token":
            self._renew(str(frame.payload.get("access_token") or "sb_"))

    def _track(self, frame: Frame) -> None:
        presence = self._realtime.presences[self.topic]
        if str(frame.payload.get("event")).lower() == "track":
            presence.track(self, self._presence_key, frame.payload.get("payload") or {})
        else:
            presence.untrack(self)
        self._socket.reply(frame, "ok", {})

    def _renew(self, token: str) -> None:
        if token.startswith("sb_"):
            return  # the gateway exchanged the key when the socket was opened
        try:
            self._claims = self._verify(token)
        except JoinError as error:
            self._shut_down(str(error).partition(": ")[2])
            return
        self._watch_expiry()
        self.start_subscribing()

    def _watch_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        seconds = self._claims["exp"] - time.time()
        self._expiry = asyncio.get_running_loop().call_later(
            seconds, self._shut_down, "Token has expired 0 seconds ago"
        )

    def start_subscribing(self) -> None:
        """Subscribe to database changes, late, as the hosted service does, and confirm it."""
        if self._subscribing is not None:
            self._subscribing.cancel()
        if self.asked:
            self._subscribing = asyncio.create_task(self._subscribe())

    async def _subscribe(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(*self._realtime.ways.subscribe_delay))
            try:
                bindings = [Binding.parse(asked) for asked in self.asked]
                await self._realtime.changes.subscribe(self, bindings)
            except SubscriptionError as error:
                self._announce("postgres_changes", "error", str(error))
                return
            except psycopg.OperationalError as error:
                _log.warning("subscribing %s again: %s", self.topic, error)
            else:
                self._announce("postgres_changes", "ok", "Subscribed to PostgreSQL")
                return

    def _announce(self, extension: str, status: str, message: str) -> None:
        payload = {"extension": extension, "status": status, "message": message, "channel": self.name}
        self.send("system", payload)

    def _shut_down(self, message: str) -> None:
        self._announce("system", "error", message)
        self.close()

    def close(self) -> None:
        """End the membership and notify the client."""
        self.end()
        self.say_closed()

    def say_closed(self) -> None:
        """Notify the client that this membership, known by its join, has ended."""
        self._socket.send(Frame(self.topic, "phx_close", {}, self._join_ref, self._join_ref))

    def end(self) -> None:
        """End the membership."""
        self._realtime.changes.unsubscribe(self)
        self._realtime.topics[self.topic].discard(self)
        self._realtime.presences[self.topic].leave(self)
        if self._socket.channels.get(self.topic) is self:
            del self._socket.channels[self.topic]
        if self._expiry is not None:
            self._expiry.cancel()
        if self._subscribing is not None:
            self._subscribing.cancel()


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
