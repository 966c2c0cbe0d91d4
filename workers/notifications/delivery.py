"""Messages on their way: each target in its own time, so that a dead one costs the others nothing.

What is sent is recorded before the next message to that target leaves, so a kill costs one duplicate at most.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Final

import structlog

from shared.errors import BackendError
from workers.notifications.channels import TRY, Channel
from workers.notifications.messages import Notice, compose
from workers.notifications.webpush import PushSender
from workers.ports import (
    UNOBSERVED,
    Clock,
    Deliveries,
    Device,
    DueMessage,
    Observer,
    SendOutcome,
    SendResult,
)

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 100
# Four messages to a target, each with its try and its record; what is not begun by then is another worker's.
_LEASE: Final = timedelta(seconds=90)
# A try that begins then still has its time, and its record, which is repeated while the database is away.
_LATEST_START: Final = _LEASE - TRY - timedelta(seconds=25)


class Notifier:
    """Sends the messages that the database holds, and what an owner sends to the devices.

    Concurrency: one ``deliver`` at a time; a target has one message under way at most.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        channels: Sequence[Channel],
        push: PushSender | None,
        *,
        clock: Clock,
        look_every: timedelta,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._deliveries = deliveries
        self._channels = {channel.name.target: channel for channel in channels}
        self._push = push
        self._clock = clock
        self._look_every = look_every
        self._is_new = True
        self._observer = observer

    @property
    def is_configured(self) -> bool:
        """Return whether there is any way to reach somebody."""
        return bool(self._channels) or self._push is not None

    @property
    def push(self) -> PushSender | None:
        """Return what reaches devices, if there are VAPID keys."""
        return self._push

    async def deliver(self) -> None:
        """Send what waits, until nothing does."""
        sending: set[asyncio.Task[None]] = set()
        try:
            while True:
                claimed_at = self._clock.monotonic()
                for _, messages in groupby(await self._claim(), key=lambda message: message.target):
                    work = self._send_in_turn(list(messages), claimed_at)
                    sending.add(asyncio.create_task(work, name="delivery"))
                if not sending:
                    return
                _, sending = await asyncio.wait(
                    sending, timeout=self._look_every.total_seconds(), return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def send_to_devices(self, notice: Notice, *, within: timedelta) -> list[SendResult]:
        """Send a message to every device of the owners; return how each went. Raises: BackendError."""
        devices = await self._deliveries.list_devices()
        return list(await asyncio.gather(*(self._send_now(device, notice, within) for device in devices)))

    async def _send_now(self, device: Device, notice: Notice, within: timedelta) -> SendResult:
        assert self._push is not None
        try:
            result = await self._push.send(device, notice, within=within)
        except Exception:
            # One odd row must not keep the message from the other devices.
            log.exception("device.crashed")
            return SendResult(SendOutcome.REFUSED, "internal_error")
        if result.outcome is SendOutcome.GONE:
            try:
                await self._deliveries.deactivate(device, result.failure or "")
            except BackendError as error:
                log.warning("device.not_deactivated", error_code=error.code, error_message=str(error))
        return result

    async def _claim(self) -> Sequence[DueMessage]:
        names = [channel.name for channel in self._channels.values()]
        try:
            messages = await self._deliveries.claim(
                names, devices=self._push is not None, limit=_AT_ONCE, lease=_LEASE, restarted=self._is_new
            )
        except BackendError as error:
            log.warning("deliveries.not_claimed", error_code=error.code, error_message=str(error))
            return []
        self._is_new = False
        return sorted(messages, key=lambda message: message.target)  # stable: each target's stay in their order

    async def _send_in_turn(self, messages: Sequence[DueMessage], claimed_at: float) -> None:
        for message in messages:
            if self._clock.monotonic() - claimed_at > _LATEST_START.total_seconds():
                return
            result = await self._send(message)
            if result is None:
                return
            self._observer.note_delivery(message.kind, result.outcome, to_device=message.device is not None)
            self._log(message, result)
            try:
                await self._deliveries.settle(message, result)
            except BackendError as error:
                # Sent again once the lease is over, under the same tag.
                log.warning("delivery.not_recorded", error_code=error.code, error_message=str(error))
                return
            if result.outcome in {SendOutcome.RETRY, SendOutcome.GONE}:
                return

    async def _send(self, message: DueMessage) -> SendResult | None:
        """Send one message; None where this worker cannot, so that its lease runs out."""
        try:
            notice = compose(message)
            device = message.device
            if device is not None and self._push is not None:
                return await self._push.send(device, notice, within=TRY)
            channel = self._channels.get(message.target)
            return None if channel is None else await channel.send(notice, within=TRY)
        except Exception:
            # One odd row must not keep what comes after it from leaving.
            log.exception("delivery.crashed", message_key=message.message_key)
            return SendResult(SendOutcome.REFUSED, "internal_error")

    def _log(self, message: DueMessage, result: SendResult) -> None:
        channel = self._channels.get(message.target)
        said = {
            "message_key": message.message_key,
            "kind": message.kind,
            "target": channel.name.label if channel else "device",
            "attempt": message.attempt,
        }
        if result.outcome is SendOutcome.ACCEPTED:
            log.info("delivery.accepted", **said, members=message.members)
        else:
            log.warning("delivery.failed", **said, outcome=result.outcome.value, failure=result.failure)
