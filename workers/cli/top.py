"""The command top: queue, runs, workers, this month's cost and health, live."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Protocol

import typer

from shared.errors import BackendUnavailable
from workers.backend.client import open_client
from workers.backend.inspection import SupabaseInspection
from workers.cli.context import AsJson, EnvFile, run_async, settings_from
from workers.cli.live import Once, show
from workers.cli.overview import render_overview
from workers.clock import SystemClock
from workers.ports import Clock, HealthLine, Overview

CLOCK: Clock = SystemClock()
"""By which the command waits."""

# Reading the health costs several times as much as all the rest, and it changes slowly.
_HEALTH_EVERY: Final = timedelta(seconds=15)


def top(
    every: Annotated[
        float, typer.Option("--every", min=0.5, max=3600, metavar="SECONDS", help="Seconds between two reads.")
    ] = 2,
    once: Once = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Show the queue, the runs, the workers, this month's cost and the health, live; q quits."""

    async def body() -> None:
        async with open_client(settings_from(env_file).supabase) as client:
            reader = OverviewReader(SupabaseInspection(client), CLOCK)
            await show(reader.read, render_overview, every=every, once=once, as_json=as_json, clock=CLOCK)

    run_async(body())


class ReadsOverview(Protocol):
    """The part of the inspection that is read here."""

    async def read_overview(self, *, with_health: bool) -> Overview:
        """Read what an operator watches. Raises: BackendError."""


class OverviewReader:
    """Reads the overview; the health, which costs most, not every time, and without it where it takes too long."""

    def __init__(self, inspection: ReadsOverview, clock: Clock) -> None:
        self._inspection = inspection
        self._clock = clock
        self._health: tuple[HealthLine, ...] | None = None
        self._health_at: datetime | None = None
        self._due = clock.now()

    async def read(self) -> Overview:
        """Return what there is to show, with the health that was read last; it is asked for every 15 s.

        Raises: BackendError.
        """
        overview = await self._read()
        if overview.health is not None:
            self._health, self._health_at = overview.health, overview.at
        return overview.model_copy(update={"health": self._health, "health_at": self._health_at})

    async def _read(self) -> Overview:
        if self._clock.now() >= self._due:
            # Before it is asked: a database that is too slow for it is not asked again at every read.
            self._due = self._clock.now() + _HEALTH_EVERY
            try:
                return await self._inspection.read_overview(with_health=True)
            except BackendUnavailable:
                pass  # perhaps it is the health alone that takes too long
        return await self._inspection.read_overview(with_health=False)
