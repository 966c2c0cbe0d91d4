"""The watch over the sites: every look is kept, whoever it was for."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from shared.errors import BackendError
from workers.platform_monitor.probe import SiteProbe
from workers.ports import Clock, SiteCheck, SiteLog

log = structlog.get_logger(__name__)

# Several open pages ask at the same moment, each for itself.
_SHARED_FOR: Final = timedelta(seconds=10)


class SiteWatch:
    """Looks at the sites and keeps what they answered.

    Concurrency: any number of callers; those who want all sites within ten seconds share one look.
    """

    def __init__(self, probe: SiteProbe, sites: SiteLog, *, clock: Clock) -> None:
        self._probe = probe
        self._sites = sites
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked: tuple[datetime, Sequence[SiteCheck]] | None = None

    @property
    def keys(self) -> Sequence[str]:
        """Name the platforms that have a site."""
        return self._probe.keys

    async def look(self) -> Sequence[SiteCheck]:
        """Look at all sites; a database that is away costs the record, not the answer."""
        async with self._looking:
            if self._looked is None or self._clock.now() - self._looked[0] >= _SHARED_FOR:
                checks = await self._probe.check(self._probe.keys)
                self._looked = self._clock.now(), checks
                await self._record(checks)
            return self._looked[1]

    async def look_at(self, key: str) -> Sequence[SiteCheck]:
        """Look at one site. Raises: KeyError for a platform without a site."""
        checks = await self._probe.check([key])
        await self._record(checks)
        return checks

    async def patrol(self) -> None:
        """Look at all sites for the record, whoever else looked."""
        checks = await self._probe.check(self._probe.keys)
        await self._record(checks)

    async def _record(self, checks: Sequence[SiteCheck]) -> None:
        try:
            await self._sites.record_checks(checks)
        except BackendError as error:
            log.warning("checks.not_recorded", error_code=error.code, error_message=str(error))
