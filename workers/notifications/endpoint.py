"""HTTP ↔ devices: `send-push-notification`, by which the page subscribes a browser and tries it."""

from datetime import timedelta
from typing import Final

from shared.errors import PushNotConfigured
from workers.notifications.contract import read_notice, render
from workers.notifications.delivery import Notifier
from workers.ports import Identity
from workers.web.exchange import Request, Response, identify_owner, read_object

_WAIT: Final = timedelta(seconds=8)


class PushKeyEndpoint:
    """`GET /functions/v1/send-push-notification`: the public key to subscribe with, for anybody."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    async def __call__(self, request: Request) -> Response:
        """Answer the key. Raises: PushNotConfigured."""
        del request
        if self._notifier.push is None:
            raise PushNotConfigured
        return Response({"publicKey": self._notifier.push.public_key})


class PushEndpoint:
    """`POST /functions/v1/send-push-notification`: a message to the owners' devices, for the owner only."""

    def __init__(self, *, identity: Identity, notifier: Notifier) -> None:
        self._identity = identity
        self._notifier = notifier

    async def __call__(self, request: Request) -> Response:
        """Answer how many devices took the message. Raises: CallerError, BackendError."""
        await identify_owner(self._identity, request)
        if self._notifier.push is None:
            raise PushNotConfigured
        notice = read_notice(read_object(request))
        return Response(render(await self._notifier.send_to_devices(notice, within=_WAIT)))
