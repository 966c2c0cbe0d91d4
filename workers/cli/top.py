"""The command top: queue, runs, workers, this month's cost and health, live."""

from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.console import RenderableType

from workers.backend.client import open_client
from workers.backend.inspection import SupabaseInspection
from workers.cli.context import AsJson, EnvFile, print_json, run_async, settings_from
from workers.cli.live import Once, View, can_stay_open, watch
from workers.cli.overview import render_overview
from workers.cli.terminal import console
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
            if once or as_json or not can_stay_open():
                overview = await reader.read()
                if as_json:
                    print_json(overview)
                else:
                    now = CLOCK.now()
                    console.print(render_overview(View(now=now, data=overview, read_at=now), width=console.width))
                return
            await watch(reader.read, _draw, every=timedelta(seconds=every), clock=CLOCK)

    run_async(body())


def _draw(view: View[Overview]) -> RenderableType:
    return render_overview(view, width=console.width, height=console.height)


class OverviewReader:
    """Reads the overview; the health, which costs most, not every time."""

    def __init__(self, inspection: SupabaseInspection, clock: Clock) -> None:
        self._inspection = inspection
        self._clock = clock
        self._health: tuple[HealthLine, ...] | None = None
        self._due = clock.now()

    async def read(self) -> Overview:
        """Return what there is to show, its health as it was 15 s ago at most. Raises: BackendError."""
        due = self._health is None or self._clock.now() >= self._due
        overview = await self._inspection.read_overview(with_health=due)
        if overview.health is None:
            return overview.model_copy(update={"health": self._health})
        self._health, self._due = overview.health, self._clock.now() + _HEALTH_EVERY
        return overview
