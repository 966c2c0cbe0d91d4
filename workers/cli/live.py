"""A screen that is read and drawn again and again, until its reader presses q or the process is asked to end.

An outage of Supabase does not end it: the last data stay, with the moment since which nothing newer came.
"""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final, Generic, Protocol, TypeVar

import typer
from pydantic import BaseModel
from rich.console import RenderableType
from rich.live import Live

from shared.errors import BackendUnavailable
from workers.cli.context import print_json
from workers.cli.terminal import console
from workers.ports import Clock

T = TypeVar("T", bound=BaseModel)

Once = Annotated[bool, typer.Option("--once", help="Print once and end, as is done anyway outside a terminal.")]

_TICK: Final = timedelta(seconds=1)
# q, its capital, and Ctrl-D; Ctrl-C comes as a signal.
_ENDING_KEYS: Final = frozenset(b"qQ\x04")


@dataclass(frozen=True)
class View(Generic[T]):
    """What a screen has to show: what was read last, and since when nothing newer could be."""

    now: datetime
    data: T | None = None
    read_at: datetime | None = None
    offline_since: datetime | None = None
    fault: str = ""


class Render(Protocol[T]):
    """Draws what there is to show; without a height, a page without an end."""

    def __call__(self, view: View[T], *, width: int, height: int | None = None) -> RenderableType:
        """Draw a view. Pure."""


async def show(
    read: Callable[[], Awaitable[T]], render: Render[T], *, every: float, once: bool, as_json: bool, clock: Clock
) -> None:
    """Print what is read, once or as JSON; on a terminal, draw it every so many seconds until its reader ends it.

    Raises: what reading raises; while a screen is open, an outage is shown instead.
    """
    if not (once or as_json) and console.is_terminal and not console.is_dumb_terminal:
        await _watch(read, render, every=timedelta(seconds=every), clock=clock)
        return
    data = await read()
    if as_json:
        print_json(data)
    else:
        now = clock.now()
        console.print(render(View(now=now, data=data, read_at=now), width=console.width))


async def _watch(read: Callable[[], Awaitable[T]], render: Render[T], *, every: timedelta, clock: Clock) -> None:
    """Show what is read, until q, Ctrl-C or SIGTERM; the terminal is left as it was."""
    stop, wake = asyncio.Event(), asyncio.Event()
    feed = _Feed(read, clock, wake)
    with (
        _ended_by_signals(stop, wake),
        _ended_by_keys(stop, wake),
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        reading = asyncio.create_task(feed.follow(every))
        try:
            while not stop.is_set() and not reading.done():
                wake.clear()
                view = replace(feed.view, now=clock.now())
                live.update(render(view, width=console.width, height=console.height), refresh=True)
                await clock.wait(wake, within=_TICK)
        finally:
            if not reading.done():
                reading.cancel()
            await asyncio.wait([reading])
    if not reading.cancelled():
        reading.result()


class _Feed(Generic[T]):
    """Reads at an interval, whatever becomes of each reading."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock, wake: asyncio.Event) -> None:
        self._read = read
        self._clock = clock
        self._wake = wake
        self.view: View[T] = View(now=clock.now())

    async def follow(self, every: timedelta) -> None:
        while True:
            self.view = await self._look()
            self._wake.set()
            await self._clock.sleep(every)

    async def _look(self) -> View[T]:
        try:
            data = await self._read()
        except BackendUnavailable as error:
            now = self._clock.now()
            since = self.view.offline_since or self.view.read_at or now
            return replace(self.view, now=now, offline_since=since, fault=str(error))
        now = self._clock.now()
        return View(now=now, data=data, read_at=now)


@contextmanager
def _ended_by_signals(stop: asyncio.Event, wake: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop.set()
        wake.set()

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGWINCH: wake.set}
    for number, handle in handlers.items():
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


@contextmanager
def _ended_by_keys(stop: asyncio.Event, wake: asyncio.Event) -> Iterator[None]:
    """Listen to single keys where the input is a terminal."""
    try:
        keyboard = sys.stdin.fileno()
        before = termios.tcgetattr(keyboard)
    except (AttributeError, OSError, ValueError, termios.error):  # none, closed, or no terminal
        yield
        return
    loop = asyncio.get_running_loop()

    def listen() -> None:
        with suppress(BlockingIOError, InterruptedError):
            pressed = os.read(keyboard, 64)
            if not pressed or _ENDING_KEYS & set(pressed):
                loop.remove_reader(keyboard)
                stop.set()
                wake.set()

    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, listen)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
