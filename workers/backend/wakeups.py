"""Realtime subscription → "look now", owned by a watchdog.

The client library gives up after a few tries, stops listening when a callback raises, and takes most of a minute to
notice a dead socket. So its own reconnection is off, callbacks only set events, the worker tests the socket with
broadcasts to itself, and on any doubt a new client is built, without limit, with jittered back-off.
A missed hint costs only latency: the worker also sweeps.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Self
from uuid import uuid4

import structlog
from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    RealtimePostgresChangesListenEvent,
    RealtimeSubscribeStates,
)

from shared.backoff import draw_delay
from shared.untrusted_text import clean_line
from workers.backend.client import is_opaque
from workers.logs import redact_text
from workers.ports import Clock, Look, WakeupFault, WakeupState
from workers.settings import RealtimeSettings, SupabaseSettings

log = structlog.get_logger(__name__)

# A dead address must not delay a rebuild for longer. The hosted service refuses a handshake after 2 s.
_CONNECT_SECONDS = 8
# It refuses a join after 5 s, with the reason, and the first join may wait 15 s for the database.
_JOIN_SECONDS = 20
_CLOSE_SECONDS = 2
_REASON_CHARS = 300
# How a refusal begins: `{"reason": "PrivateOnly: This project only allows private channels"}`.
_CODE = re.compile(r'"reason": ?"([A-Za-z]{3,60}):')


class _NotLive(Exception):
    """The subscription could not be established."""

    def __init__(self, fault: WakeupFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


async def try_realtime(supabase: SupabaseSettings, settings: RealtimeSettings, *, clock: Clock) -> WakeupFault | None:
    """Subscribe once as a worker does, and leave; return why that was not possible, or None.

    Cost: about 2 s; up to the sum of the time limits if the service is slow.
    """
    try:
        async with _Subscription(_address(supabase), supabase.service_key.get_secret_value(), "try", clock) as tried:
            await tried.join(look=lambda _: None, check_leases=lambda: None)
            await tried.wait_until_fed(settings.subscribe_timeout)
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
        return _explain(error)
    return None


def _address(supabase: SupabaseSettings) -> str:
    return f"{str(supabase.url).rstrip('/')}/realtime/v1"


def _make_fault(code: str, reason: str) -> WakeupFault:
    return WakeupFault(code=code, reason=clean_line(redact_text(reason), _REASON_CHARS))


def _explain(error: Exception) -> WakeupFault:
    if isinstance(error, _NotLive):
        return error.fault
    return _make_fault(type(error).__name__, f"{type(error).__name__}: {error}")


class RealtimeWakeups:
    """Keeps one subscription to ``hq.runs`` alive.

    Concurrency: one ``watch`` at a time.
    """

    def __init__(self, supabase: SupabaseSettings, settings: RealtimeSettings, *, worker_id: str, clock: Clock) -> None:
        self._url = _address(supabase)
        self._key = supabase.service_key
        self._settings = settings
        self._worker_id = worker_id
        self._clock = clock
        self._random = random.Random()  # noqa: S311 - jitter, not a secret
        self.state = WakeupState.DEGRADED
        self.fault: WakeupFault | None = None
        self.rebuilds = 0

    async def watch(self, *, look: Look, check_leases: Callable[[], None]) -> None:
        """Call ``look`` when work may be waiting, ``check_leases`` when a run was cancelled; never return."""
        failures = 0
        while True:
            try:
                async with _Subscription(
                    self._url, self._key.get_secret_value(), self._worker_id, self._clock
                ) as subscription:
                    await self._go_live(subscription, look, check_leases)
                    failures = 0
                    await self._stay_live(subscription)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever the library raises, the answer is a new client
                self.fault = _explain(error)
            else:
                self.fault = subscription.fault
            failures += 1
            self.rebuilds += 1
            if self.state is WakeupState.LIVE:
                self.state = WakeupState.DEGRADED
            delay = draw_delay(failures, base=self._settings.retry_base, cap=self._settings.retry_cap, rng=self._random)
            log.warning(
                "realtime.lost",
                fault=self.fault.code,
                reason=self.fault.reason,
                retry_in_ms=round(delay.total_seconds() * 1000),
            )
            look(None)
            check_leases()
            await self._clock.sleep(delay)

    async def _go_live(self, subscription: "_Subscription", look: Look, check_leases: Callable[[], None]) -> None:
        await subscription.join(look=look, check_leases=check_leases)
        look(None)  # for what was inserted while nothing was listening
        await subscription.wait_until_fed(self._settings.subscribe_timeout)
        self.state, self.fault = WakeupState.LIVE, None
        check_leases()  # renews at once, so that the heartbeat shows the new state
        log.info("realtime.subscribed")

    async def _stay_live(self, subscription: "_Subscription") -> None:
        """Return when the subscription has failed."""
        missed = 0
        while missed < self._settings.echoes_missed:
            # After a missing echo, try the next at once.
            if await subscription.wait_for_fault(timedelta(0) if missed else self._settings.echo_every):
                return
            missed = 0 if await subscription.echo(_echo_timeout(self._settings.echo_every)) else missed + 1
        subscription.fault = _make_fault("silent", f"{missed} echoes missing")


def _echo_timeout(interval: timedelta) -> timedelta:
    return min(interval, timedelta(seconds=5))


class _Subscription:
    """One client with one channel, used once and thrown away."""

    def __init__(self, url: str, key: str, worker_id: str, clock: Clock) -> None:
        self._client = AsyncRealtimeClient(url, key, auto_reconnect=False, timeout=_JOIN_SECONDS)
        if is_opaque(key):
            self._client.access_token = None  # the gateway puts the role's token where it found the key
        self._topic = f"hq-worker-{worker_id}-{uuid4().hex[:8]}"
        self._clock = clock
        self._channel: AsyncRealtimeChannel | None = None
        self._fault = asyncio.Event()
        self._is_fed = False
        self._fed_or_fault = asyncio.Event()
        self._echoed: asyncio.Future[None] | None = None
        self._nonce = ""
        self.fault = _make_fault("closed", "closed")

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await self._client.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        socket = self._client._ws_connection  # noqa: SLF001 - closing drops it, even when that fails
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._client.remove_all_channels()
        # A half-open socket never answers a close: it is aborted, and its listener is ended.
        if socket is not None:
            socket.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._client.close()

    async def join(self, *, look: Look, check_leases: Callable[[], None]) -> None:
        """Join the channel. Raises: _NotLive when the server refuses or does not answer."""
        channel = self._client.channel(
            self._topic,
            {
                "config": {
                    "broadcast": {"ack": False, "self": True},
                    "presence": {"key": "", "enabled": False},
                    "private": False,
                }
            },
        )
        self._channel = channel
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.All,  # inserted, handed back, rescued, set back by hand
            _guarded(lambda payload: look(_inserted_id(payload))),
            table="runs",
            schema="hq",
            filter="status=eq.pending",
        )
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Update,
            _guarded(lambda _: check_leases()),
            table="runs",
            schema="hq",
            filter="status=eq.cancelled",
        )

        def catch_up(_: object) -> None:
            # Catches what happened between the join, or a failure on the server, and its first read of the table.
            self._is_fed = True
            self._fed_or_fault.set()
            look(None)
            check_leases()

        channel.on_system(_guarded(catch_up))
        channel.on_broadcast("echo", _guarded(self._hear_echo))
        await channel.subscribe(self._note_state)
        if not channel.is_joined:
            raise _NotLive(_make_fault(self.fault.code, f"join refused: {self.fault.reason}"))

    async def wait_until_fed(self, limit: timedelta) -> None:
        """Wait for the server to confirm that it reads the table. Raises: _NotLive when it does not come."""
        await self._clock.wait(self._fed_or_fault, within=limit)
        if self._fault.is_set():
            raise _NotLive(self.fault)
        if not self._is_fed:
            raise _NotLive(_make_fault("unconfirmed", "the server never confirmed the subscription to hq.runs"))

    async def wait_for_fault(self, limit: timedelta) -> bool:
        """Wait for a fault, for at most ``limit``; return whether there is one."""
        await self._clock.wait(self._fault, within=limit)
        if not self._fault.is_set() and not self._is_listening():
            self._fail("deaf", "the listener is dead")
        return self._fault.is_set()

    async def echo(self, within: timedelta) -> bool:
        """Broadcast a nonce to ourselves; return whether it came back. Heartbeat replies never reach a callback."""
        if self._channel is None:
            return False
        self._nonce = uuid4().hex
        self._echoed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._channel.send_broadcast("echo", {"nonce": self._nonce})
                await self._echoed
        except TimeoutError:
            return False
        return True

    def _hear_echo(self, payload: object) -> None:
        if self._nonce in repr(payload) and self._echoed is not None and not self._echoed.done():
            self._echoed.set_result(None)

    def _note_state(self, state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state is not RealtimeSubscribeStates.SUBSCRIBED:
            code = _CODE.search(str(error))
            self._fail(code[1] if code else state.value, f"{state.value}: {error}" if error else state.value)

    def _fail(self, code: str, reason: str) -> None:
        self.fault = _make_fault(code, reason)
        self._fault.set()
        self._fed_or_fault.set()

    def _is_listening(self) -> bool:
        # The library does not report that its listener died; its task is the only evidence.
        task = self._client._listen_task  # noqa: SLF001
        return task is not None and not task.done() and self._channel is not None and self._channel.is_joined


def _inserted_id(payload: object) -> str | None:
    """Return the id of an inserted row; None for a row that went back to pending, which no worker has yet."""
    match payload:
        case {"data": {"type": "INSERT", "record": {"id": str(run_id)}}}:
            return run_id
        case _:
            return None


def _guarded(callback: Callable[[object], None]) -> Callable[[object], None]:
    """Contain exceptions: one that escapes from a callback silently kills the library's listener."""

    def guarded(payload: object) -> None:
        try:
            callback(payload)
        except Exception:
            log.exception("realtime.callback_failed")

    return guarded
