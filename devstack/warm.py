"""Python children that begin in milliseconds: forked from a server that has imported what they need.

A stack has four Python processes and a test starts dozens of stacks; most of what that costs is importing the same
libraries again. Where a session of tests says so, the modules named here are imported once, and every child is a fork
of that process: its own memory, environment, folder, standard streams and signals, as if it had been started.
Elsewhere (``make dev``, ``make demo``, the slow proofs, benchmarks) a child is a fresh interpreter.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

_PR_SET_PDEATHSIG: Final = 1
_MODULES: Final = ("workers.cli", "devstack.auth", "devstack.realtime", "devstack.vendors.__main__")

_context: Final = multiprocessing.get_context("forkserver") if sys.platform == "linux" else None
_is_enabled = False


def enable() -> None:
    """From now on fork children instead of starting them; where the system cannot, nothing changes."""
    global _is_enabled  # noqa: PLW0603 - one server per process, as multiprocessing has it
    if _context is not None:
        _context.set_forkserver_preload(list(_MODULES))
        _is_enabled = True


def start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    log: Path,
    folder: Path | None = None,
    group: int | None = None,
) -> WarmProcess | None:
    """Run the ``main`` of a module in a fork that lives no longer than this process; None unless it was enabled.

    What it prints is appended to ``log``; ``group`` is the process group to join.
    """
    if not _is_enabled or _context is None:
        return None
    log.touch()  # whoever reads it need not wait for the child
    process = _context.Process(target=_run, args=(module, arguments, dict(environment), log, folder, group))
    process.start()
    return WarmProcess(process)


class WarmProcess:
    """A forked child, with what this project uses of ``subprocess.Popen``."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid: Final = process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for the signal that ended it; None while it lives."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        """The exit code, as ``poll`` returns it."""
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises: subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


def _run(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    folder: Path | None,
    group: int | None,
) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if group is not None:
        os.setpgid(0, group)
    with log.open("ab") as written, open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), 0)
        os.dup2(written.fileno(), 1)
        os.dup2(written.fileno(), 2)
    if folder is not None:
        os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    main = importlib.import_module(module).main
    if inspect.iscoroutinefunction(main):
        import asyncio  # noqa: PLC0415 - only some need it

        asyncio.run(main())
    else:
        main()
