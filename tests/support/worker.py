"""A worker as an operator runs it: a process of its own, with its own environment and log."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from devstack import warm

PROJECT = Path(__file__).parents[2]
POLL_SECONDS = 0.02

_TAIL_LINES = 25

# Who kills the tests kills the workers too, in whatever way: none may go on against a database that is gone.
_NEVER_ALONE = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Worker:
    """One worker process."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        *,
        module: str = "workers.cli",
        command: str = "work",
        fresh: bool = False,
    ) -> None:
        """Start it; ``fresh``: in an interpreter of its own, also where others are forked (``devstack.warm``)."""
        self.name = name
        self._log = folder / f"{name}.log"
        # The folder holds no .env: what the worker knows comes from its environment.
        forked = None if fresh else warm.start(module, [command], environment, log=self._log, folder=folder)
        self._process = forked or self._start(["workers" if module == "workers.cli" else module, command], environment)

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        argv = [*_NEVER_ALONE, sys.executable, "-m", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._log.parent
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash of its machine would."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    @property
    def is_paused(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    async def paused(self, within: float = 15) -> None:
        """Wait until SIGSTOP has stopped it."""
        deadline = time.monotonic() + within
        while not self.is_paused:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} was not paused in {within} s\n{self.tail()}")
            await asyncio.sleep(POLL_SECONDS)

    async def exit_code(self, within: float = 15) -> int:
        """Wait until it has ended; negative is the signal that ended it."""
        deadline = time.monotonic() + within
        while (code := self._process.poll()) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} still runs after {within} s\n{self.tail()}")
            await asyncio.sleep(POLL_SECONDS)
        return code

    def events(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return what it logged under this name, with these fields."""
        logged = (_parse(line) for line in self.log().splitlines())
        return [line for line in logged if line.items() >= ({"event": event} | fields).items()]

    async def logged(self, event: str, *, within: float = 15, times: int = 1, **fields: object) -> dict[str, Any]:
        """Wait until it has logged this, so many times; the last one is returned."""
        deadline = time.monotonic() + within
        while len(found := self.events(event, **fields)) < times:
            if time.monotonic() > deadline or not self.is_alive:
                wanted = f"{event} {fields or ''}".strip()
                raise AssertionError(f"{self.name} logged {len(found)} of {times} `{wanted}`\n{self.tail()}")
            await asyncio.sleep(POLL_SECONDS)
        return found[-1]

    def log(self) -> str:
        """Read all that it logged."""
        return self._log.read_text(errors="replace")

    def tail(self) -> str:
        """Tell the end of its log, for the message of a failed test."""
        state = "alive" if self.is_alive else f"ended with {self._process.returncode}"
        lines = self.log().splitlines()[-_TAIL_LINES:]
        return "\n".join([f"── {self.name} ({state})", *lines])


def _parse(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
