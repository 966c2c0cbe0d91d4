"""A circuit breaker: after a few failures in a row, leave a service alone for a while, then try one call.

A state machine with an injected clock; it knows nothing about HTTP. The caller decides what is a failure: an
outage is, a refusal is not (the service answered). Only failures that no success interrupts are counted, so
that a busy service which fails one call in fifty is not shut out.

    CLOSED ──failures within the window──► OPEN ──its time is over──► HALF_OPEN ──probe succeeded──► CLOSED
                                             ▲──────probe failed──────────┘
A probe that is abandoned, or never reports back, makes way for the next call.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self


class BreakerState(StrEnum):
    """What the breaker does with the next call."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Breaker:
    """Lets calls through, or not.

    Concurrency: one event loop; nothing here awaits.
    """

    def __init__(
        self,
        *,
        failures: int,
        window: timedelta,
        open_for: timedelta,
        probe_for: timedelta,
        monotonic: Callable[[], float],
    ) -> None:
        self._failures = failures
        self._window = window.total_seconds()
        self._open_for = open_for.total_seconds()
        self._probe_for = probe_for.total_seconds()
        self._monotonic = monotonic
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._shut_until: float | None = None  # None: closed. Else: no call before that time.
        self._probing = False
        # Each permit remembers the epoch in which it was issued. An outcome that arrives after that epoch
        # (a slow call from before the outage, a probe given up as lost) says nothing about the present.
        self._epoch = 0

    @property
    def state(self) -> BreakerState:
        """Return the state that a call would meet now."""
        if self._shut_until is None:
            return BreakerState.CLOSED
        waiting = not self._probing and self._monotonic() < self._shut_until
        return BreakerState.OPEN if waiting else BreakerState.HALF_OPEN

    @property
    def wait(self) -> timedelta:
        """Return how long until a call is let through, at the latest."""
        if self._shut_until is None:
            return timedelta(0)
        return timedelta(seconds=max(0.0, self._shut_until - self._monotonic()))

    def enter(self) -> "Permit | None":
        """Ask to make one call; return None if that is refused. A permit must be used as a context manager."""
        if self._shut_until is not None:
            now = self._monotonic()
            if now < self._shut_until:
                return None
            self._epoch += 1
            self._probing = True
            self._shut_until = now + self._probe_for
        return Permit(self, self._epoch)

    def settle(self, epoch: int, *, succeeded: bool | None) -> None:
        """Record the outcome of a call: True, False, or None when it was abandoned. Permits call this."""
        if epoch != self._epoch:
            return
        if succeeded:
            self._close()
        elif succeeded is None:
            if self._probing:
                self._shut_until = self._monotonic()
        else:
            self._count_failure()

    def _close(self) -> None:
        self._failed_at.clear()
        if self._probing:
            self._epoch += 1
            self._probing = False
            self._shut_until = None

    def _count_failure(self) -> None:
        now = self._monotonic()
        self._failed_at.append(now)
        enough = len(self._failed_at) == self._failures and self._failed_at[0] >= now - self._window
        if self._probing or enough:
            self._failed_at.clear()
            self._epoch += 1
            self._probing = False
            self._shut_until = now + self._open_for


class Permit:
    """Permission to make one call. It settles once: a call not reported as succeeded or failed was abandoned."""

    def __init__(self, breaker: Breaker, epoch: int) -> None:
        self._breaker = breaker
        self._epoch = epoch
        self._settled = False

    def succeeded(self) -> None:
        """Report that the service answered."""
        self._settle(succeeded=True)

    def failed(self) -> None:
        """Report that the service is out of order."""
        self._settle(succeeded=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._settle(succeeded=None)

    def _settle(self, *, succeeded: bool | None) -> None:
        if not self._settled:
            self._settled = True
            self._breaker.settle(self._epoch, succeeded=succeeded)
