"""A command in a terminal of its own: what it draws, the keys it is sent, how it leaves the terminal."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

_PATIENCE_SECONDS = 30
_POLL_SECONDS = 0.02


class PseudoTerminal:
    """A window of 80 by 24 in which one command runs."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self._ours, False)
        self._theirs = theirs
        self.modes = termios.tcgetattr(theirs)
        self.drawn = ""
        unsized = {key: value for key, value in environment.items() if key not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            # In a session that this terminal controls, as a shell's is: only then is Ctrl-C a signal.
            ["setsid", "--ctty", sys.executable, "-m", "workers", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=unsized | {"TERM": "xterm-256color"},
            cwd=folder,
        )

    def await_text(self, *words: str, since: int = 0) -> int:
        """Wait until all words were drawn after a place; return the place where drawing stands."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not all(word in self.drawn[since:] for word in words):
            assert time.monotonic() < until, self.drawn[-4_000:]
            assert self.process.poll() is None or self._read(), self.drawn[-4_000:]
            self._read()
            time.sleep(_POLL_SECONDS)
        return len(self.drawn)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._ours, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size, as a person does with the mouse."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def await_end(self) -> int:
        """Wait until the command has ended; return its exit code."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < until, self.drawn[-4_000:]
            self._read()  # a full terminal would hold it up
            time.sleep(_POLL_SECONDS)
        self._read()
        return self.process.returncode

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal's modes are those it began with, the screen is the usual one and the cursor is shown."""
        modes = termios.tcgetattr(self._theirs) == self.modes
        screen = self.drawn.rfind("\x1b[?1049l") > self.drawn.rfind("\x1b[?1049h")
        return modes and screen and self.drawn.rfind("\x1b[?25h") > self.drawn.rfind("\x1b[?25l")

    def _read(self) -> bool:
        try:
            got = os.read(self._ours, 1 << 16)
        except (BlockingIOError, OSError):
            return False
        self.drawn += got.decode(errors="replace")
        return bool(got)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)
