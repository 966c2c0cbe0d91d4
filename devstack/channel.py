"""A client's membership of one topic of Realtime."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Any

import psycopg

from devstack.keys import ExpiredTokenError, TokenError
from devstack.phoenix import Frame
from devstack.private_channels import EVERYTHING
from devstack.subscriptions import Binding, Claims, Subscriber, SubscriptionError

if TYPE_CHECKING:
    from devstack.realtime import Socket

_log = logging.getLogger("devstack.realtime")

_TOPIC_PREFIX = "realtime:"


def room_of(topic: str, *, is_private: bool) -> str:
    """Return under which name its members are kept: a private topic is another one than the public of its name."""
    return f"private {topic}" if is_private else topic


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
        self._is_private = bool(config.get("private"))
        self._room = room_of(self.topic, is_private=self._is_private)
        self._may = EVERYTHING
        if not self._is_private and not self._realtime.ways.public_access:
            raise JoinError("PrivateOnly: This project only allows private channels")
        token = join.payload.get("access_token")
        self._claims = self._verify(socket.token if self._is_left_to_the_gateway(token) else str(token))

    async def authorize(self) -> None:
        """Ask the policies of a private topic. Raises: JoinError where they let nothing be read."""
        if not self._is_private:
            return
        self._may = await self._realtime.read_permissions(self._claims, self.name)
        if not self._may.hears:
            raise JoinError(f"Unauthorized: You do not have permissions to read from this Channel topic: {self.name}")
        self._wants_presence = self._wants_presence and self._may.sees

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
        self._realtime.topics[self._room].add(self)
        self._watch_expiry()
        if self._wants_presence:
            self._realtime.presences[self._room].watch(self)
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
            if not self._may.speaks:
                return  # without a word, and without an acknowledgement
            self._realtime.broadcast(self._room, frame.payload, besides=None if self._wants_own else self)
            if self._wants_ack:
                self._socket.reply(frame, "ok", {})
        elif frame.event == "presence":
            if self._may.appears:
                self._track(frame)
        elif frame.event == "access_token":
            self._renew(frame.payload.get("access_token"))

    def _track(self, frame: Frame) -> None:
        presence = self._realtime.presences[self._room]
        if str(frame.payload.get("event")).lower() == "track":
            presence.track(self, self._presence_key, frame.payload.get("payload") or {})
        else:
            presence.untrack(self)
        self._socket.reply(frame, "ok", {})

    def _is_left_to_the_gateway(self, token: object) -> bool:
        """Return whether the token is the one that the gateway put in the key's place when the socket was opened."""
        return not token or (self._realtime.ways.keys_as_tokens and str(token).startswith("sb_"))

    def _renew(self, token: object) -> None:
        if self._is_left_to_the_gateway(token):
            return
        try:
            self._claims = self._verify(str(token))
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
        self._realtime.topics[self._room].discard(self)
        self._realtime.presences[self._room].leave(self)
        if self._socket.channels.get(self.topic) is self:
            del self._socket.channels[self.topic]
        if self._expiry is not None:
            self._expiry.cancel()
        if self._subscribing is not None:
            self._subscribing.cancel()
