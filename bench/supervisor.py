"""Workers under a supervisor: whoever ends is started again, as a platform such as Fly does."""

import random
import time
from collections.abc import Callable
from subprocess import Popen
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self

_LOOK_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 1.0


class Supervisor:
    """So many workers, each replaced a second after it ended."""

    def __init__(self, start: Callable[[], "Popen[bytes]"], count: int) -> None:
        self._start = start
        self._members = [start() for _ in range(count)]
        self._stop = Event()
        self._thread = Thread(target=self._supervise, name="supervisor")
        self.kills = 0
        self.restarts = 0

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        return [member.pid for member in self._members if member.poll() is None]

    def kill_one(self, chance: random.Random) -> None:
        """End one of them as a crash of its machine would."""
        chance.choice(self._members).kill()
        self.kills += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _supervise(self) -> None:
        ended: dict[int, float] = {}
        while not self._stop.wait(_LOOK_SECONDS):
            for place, member in enumerate(self._members):
                if member.poll() is None:
                    continue
                if time.monotonic() - ended.setdefault(member.pid, time.monotonic()) >= _RESTART_SECONDS:
                    self._members[place] = self._start()
                    self.restarts += 1
