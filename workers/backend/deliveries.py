"""The messages for channels and devices: who sends which, and what became of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from pydantic import TypeAdapter
from supabase import AsyncClient

from workers.backend.retry import retry
from workers.backend.rpc import Rows, call, call_void
from workers.ports import ChannelName, Clock, Device, DueMessage, SendResult

log = structlog.get_logger(__name__)

# What was sent and is not recorded is sent again.
_SETTLE_WITHIN: Final = timedelta(seconds=20)
_PAUSE: Final = timedelta(seconds=2)

_MESSAGES = Rows(TypeAdapter(DueMessage), key="message_key")
_DEVICES = Rows(TypeAdapter(Device), key="target")
_BOOL = TypeAdapter(bool)


class SupabaseDeliveries:
    """``hq.deliveries`` and ``hq.push_subscriptions``, with the service key.

    Concurrency: safe to share between the tasks of a process.
    """

    def __init__(self, client: AsyncClient, *, worker_id: str, clock: Clock) -> None:
        self._client = client
        self._worker_id = worker_id
        self._clock = clock

    async def claim(
        self, channels: Sequence[ChannelName], *, devices: bool, limit: int, lease: timedelta, restarted: bool = False
    ) -> Sequence[DueMessage]:
        """Take messages for these channels, and for devices if those can be reached.

        ``restarted``: the addresses may have been mended; channels are no longer left alone because one was wrong.
        Raises: BackendError.
        """
        params = {
            "p_worker_id": self._worker_id,
            "p_channels": [channel.model_dump() | {"restarted": restarted} for channel in channels],
            "p_devices": devices,
            "p_limit": limit,
            "p_lease_seconds": lease.total_seconds(),
        }
        return await call(self._client, "claim_hq_deliveries", params, _MESSAGES)

    async def settle(self, message: DueMessage, result: SendResult) -> None:
        """Record how sending a message ended. Idempotent. Raises: BackendError."""
        params = {
            "p_message_key": message.message_key,
            "p_target": message.target,
            "p_attempt": message.attempt,
            "p_outcome": result.outcome.value,
            "p_failure": result.failure,
            "p_wait_seconds": None if result.wait is None else result.wait.total_seconds(),
        }
        is_ours = await retry(
            lambda: call(self._client, "settle_hq_delivery", params, _BOOL),
            clock=self._clock,
            within=_SETTLE_WITHIN,
            longest_pause=_PAUSE,
        )
        if not is_ours:
            log.info("delivery.lease_lost", message_key=message.message_key, outcome=result.outcome.value)

    async def list_devices(self) -> Sequence[Device]:
        """List the owners' devices. Raises: BackendError."""
        return await call(self._client, "list_hq_devices", {}, _DEVICES)

    async def deactivate(self, device: Device, failure: str) -> None:
        """Deactivate a device that its push service no longer knows. Idempotent. Raises: BackendError."""
        params = {"p_target": device.target, "p_failure": failure}
        await call_void(self._client, "deactivate_hq_device", params)
