"""The regular checks of the sites: every check is stored, no matter what asked for it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from shared.errors import BackendError
from workers.platform_monitor.probe import SiteProbe
from workers.ports import Clock, SiteCheck, SiteLog
from workers.runtime.shared_read import SharedRead

log = structlog.get_logger(__name__)

# Several open pages ask at the same moment, independently.
_SHARED_FOR: Final = timedelta(seconds=10)


class SiteWatch:
    """Checks the sites and stores what they answered.

    Concurrency: any number of callers; those that want all sites within ten seconds share one check.
    """

    def __init__(self, probe: SiteProbe, sites: SiteLog, *, clock: Clock) -> None:
        self._probe = probe
        self._sites = sites
        # Counted from the end, because a site that does not answer takes as long as a check is shared.
        self._looks = SharedRead[Sequence[SiteCheck]](_SHARED_FOR, clock, counted_from="end")

    @property
    def keys(self) -> Sequence[str]:
        """Return the platforms that have a site."""
        return self._probe.keys

    async def look(self) -> Sequence[SiteCheck]:
        """Check all sites; if the database is away, the record is lost, not the answer."""
        return await self._looks.get(self._look_for_the_record)

    async def look_at(self, key: str) -> Sequence[SiteCheck]:
        """Check one site. Raises: KeyError for a platform without a site."""
        return await self._look_at([key])

    async def patrol(self) -> None:
        """Check all sites for the record, even if they were checked a moment ago."""
        await self._look_for_the_record()

    async def _look_for_the_record(self) -> Sequence[SiteCheck]:
        return await self._look_at(self._probe.keys)

    async def _look_at(self, keys: Sequence[str]) -> Sequence[SiteCheck]:
        checks = await self._probe.check(keys)
        await self._record(checks)
        return checks

    async def _record(self, checks: Sequence[SiteCheck]) -> None:
        try:
            await self._sites.record_checks(checks)
        except BackendError as error:
            log.warning("checks.not_recorded", error_code=error.code, error_message=str(error))
