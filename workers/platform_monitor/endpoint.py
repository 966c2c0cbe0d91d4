"""HTTP ↔ sites: `platform-monitor`, for the owner only."""

from workers.platform_monitor.contract import read_key, render
from workers.platform_monitor.watch import SiteWatch
from workers.ports import Clock, Identity
from workers.web.exchange import Request, Response, identify_owner, read_object


class PlatformMonitorEndpoint:
    """`POST /functions/v1/platform-monitor`: how the sites answer now, all of them or one."""

    def __init__(self, *, identity: Identity, watch: SiteWatch, clock: Clock) -> None:
        self._identity = identity
        self._watch = watch
        self._clock = clock

    async def __call__(self, request: Request) -> Response:
        """Answer with the state of the sites. Raises: CallerError, BackendError."""
        await identify_owner(self._identity, request)
        key = read_key(read_object(request), self._watch.keys)
        checks = await self._watch.look() if key is None else await self._watch.look_at(key)
        return Response(render(checks, self._clock.now()))
