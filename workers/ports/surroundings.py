"""What everything stands on: time, the journal, who is calling, how the database does."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

from pydantic import JsonValue

from shared.frozen import FrozenModel
from shared.runs import RunStatus


class Clock(Protocol):
    """Time, so that tests can hold it: the only way to read it, to pause, or to wait for an event with a limit."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; only differences mean something."""

    async def sleep(self, delay: timedelta) -> None:
        """Pause."""

    async def wait(self, event: asyncio.Event | asyncio.Future[Any], *, within: timedelta) -> bool:
        """Wait for an event, or for a future to be done, at most so long; return whether it came in time.

        The future is neither cancelled when the time is over nor asked for its result.
        """


class Journal(Protocol):
    """Events of the business that the screens show, beside those that SQL writes with a run's state."""

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event. A failure to write is logged and stops nobody."""


class Announcement(FrozenModel):
    """A constant that the database has for the open pages."""

    key: str
    event: str
    payload: dict[str, JsonValue]


class Announcer(Protocol):
    """Notifies the open pages. These are hints: a page that missed one shows the same a little later."""

    def note_end(self, run_type: str, status: RunStatus) -> None:
        """Take note of how an attempt has ended; waits for nobody."""

    async def run(self) -> None:
        """Announce, for ever, until cancelled."""


class QueueState(FrozenModel):
    """How the queue stands."""

    waiting: int
    running: int
    oldest_due_seconds: float


CheckState = Literal["green", "amber", "red"]


class Check(FrozenModel):
    """One line of the doctor."""

    name: str
    state: CheckState
    detail: str


class Caller(FrozenModel):
    """A person whose token was verified."""

    user_id: UUID
    is_owner: bool


class Identity(Protocol):
    """Identifies callers."""

    async def identify(self, token: str) -> Caller:
        """Verify a bearer token. Raises: Unauthenticated; BackendError when it could not be verified."""
