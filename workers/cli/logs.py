"""The command that reads the structured logs, and follows them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.text import Text

from shared.registry import TIME_ZONE
from workers.backend.client import open_client
from workers.backend.journal import SupabaseJournal
from workers.cli.context import AsJson, EnvFile, run_async, settings_from
from workers.cli.reconnect import RetryWhileAway
from workers.cli.terminal import console, print_as_json
from workers.clock import SystemClock
from workers.ports import Clock, LogLine

CLOCK: Clock = SystemClock()
"""By which the command waits."""

_FOLLOW: Final = timedelta(seconds=1)
# A transaction that began earlier may commit later: what is followed is read again from so long before its end.
_LATE: Final = timedelta(seconds=10)
_LEVEL_COLOURS: Final = {"info": "green", "warn": "yellow", "error": "red", "critical": "red"}


class LogLevel(StrEnum):
    """Levels of the structured logs."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    CRITICAL = "critical"


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines as they come, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many lines to print.")] = 30,
    run_id: Annotated[UUID | None, typer.Option("--run", help="Only lines of this run.")] = None,
    level: Annotated[LogLevel | None, typer.Option("--level", help="Only lines of this level.")] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Read the structured logs that the screens show, oldest first."""

    async def body() -> None:
        async with open_client(settings_from(env_file).supabase) as client:
            journal = SupabaseJournal(client)
            shown = await journal.list_latest(limit=limit, run_id=run_id, level=level, after=None)
            for line in reversed(shown):
                _print_log(line, as_json=as_json)
            if follow:
                async for line in _follow(_Reader(journal, run_id, level), shown):
                    _print_log(line, as_json=as_json)

    run_async(body())


class _Reader:
    """Reads all lines from a moment on, however many there are."""

    def __init__(self, journal: SupabaseJournal, run_id: UUID | None, level: LogLevel | None) -> None:
        self._read = partial(journal.list_from, run_id=run_id, level=level)
        self._retry = RetryWhileAway(CLOCK, "Following stopped; run `emocare logs --follow` again.")

    async def lines(self, since: datetime | None) -> AsyncIterator[LogLine]:
        last: LogLine | None = None
        while True:
            begin = since if last is None else last.created_at
            page = await self._retry.ask(partial(self._read, begin, after_id=None if last is None else last.id))
            for line in page:
                yield line
            if not page:
                return
            last = page[-1]


async def _follow(reader: _Reader, shown: list[LogLine]) -> AsyncIterator[LogLine]:
    """Yield the lines that come after those shown, each once, until the command is ended."""
    newest = max((line.created_at for line in shown), default=None)
    known = {line.id: line.created_at for line in shown}
    if newest is not None:  # what is older than the lines shown was left out of them, and is not new either
        oldest = min(known.values())
        known |= {line.id: line.created_at async for line in reader.lines(newest - _LATE) if line.created_at < oldest}
    while True:
        await CLOCK.sleep(_FOLLOW)
        async for line in reader.lines(newest and newest - _LATE):
            if line.id not in known:
                yield line
            known[line.id] = line.created_at
        newest = max(known.values(), default=None)
        if newest is not None:
            known = {each: at for each, at in known.items() if at >= newest - _LATE}


def _print_log(line: LogLine, *, as_json: bool) -> None:
    if as_json:
        print_as_json(line.model_dump_json())
        return
    colour = _LEVEL_COLOURS.get(line.level, "white")
    facts = line.metadata if isinstance(line.metadata, dict) else {"metadata": line.metadata}
    shown = "  ".join(f"{key}={value}" for key, value in facts.items() if value is not None)
    text = Text.assemble(
        (f"{line.created_at.astimezone(TIME_ZONE):%d/%m %H:%M:%S}", "dim"),
        " ",
        (f"{line.level:<5}", colour),
        " ",
        (" ".join(line.message.splitlines()), "bold"),
        "  ",
        (" ".join(shown.splitlines()), "dim"),
    )
    console.print(text, highlight=False, soft_wrap=True)
