"""Messages that leave the program without an open page: by channels (e-mail, chats) and to devices (Web Push)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, JsonValue

from shared.frozen import FrozenModel


class SendOutcome(StrEnum):
    """How sending one message to one target ended."""

    ACCEPTED = "accepted"
    RETRY = "retry"  # the target, or the way to it, is at fault for now
    REFUSED = "refused"  # repeating it would change nothing
    GONE = "gone"  # the device is no longer subscribed


@dataclass(frozen=True)
class SendResult:
    """How sending a message ended, with words for an operator that hold no secret."""

    outcome: SendOutcome
    failure: str | None = None
    wait: timedelta | None = None


class ChannelName(FrozenModel):
    """A channel as the database knows it: a fingerprint of its address, and which service it is."""

    target: str
    label: str


class Device(FrozenModel):
    """A browser that is subscribed to Web Push: an untrusted address, and the keys to encrypt for it."""

    target: str
    endpoint: str
    p256dh: str
    auth_key: str


class DueMessage(FrozenModel):
    """A message that a target waits for; the three last fields are a device's."""

    message_key: str
    target: str
    kind: str
    attempt: int
    members: int
    details: tuple[JsonValue, ...]
    said_at: AwareDatetime
    endpoint: str | None
    p256dh: str | None
    auth_key: str | None

    @property
    def device(self) -> Device | None:
        """Return the device that it is for, if it is for one."""
        if self.endpoint is None or self.p256dh is None or self.auth_key is None:
            return None
        return Device(target=self.target, endpoint=self.endpoint, p256dh=self.p256dh, auth_key=self.auth_key)


class Deliveries(Protocol):
    """The messages that wait, and what became of them."""

    async def claim(
        self, channels: Sequence[ChannelName], *, devices: bool, limit: int, lease: timedelta, restarted: bool = False
    ) -> Sequence[DueMessage]:
        """Take messages for these channels, and for devices if those can be reached.

        ``restarted``: the addresses may have been mended; channels are no longer left alone because one was wrong.
        Raises: BackendError.
        """

    async def settle(self, message: DueMessage, result: SendResult) -> None:
        """Record how sending a message ended. Idempotent. Raises: BackendError."""

    async def list_devices(self) -> Sequence[Device]:
        """List the owners' devices. Raises: BackendError."""

    async def deactivate(self, device: Device, failure: str) -> None:
        """Deactivate a device that its push service no longer knows. Idempotent. Raises: BackendError."""
