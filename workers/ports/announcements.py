"""What the open pages are notified of."""

from typing import Protocol

from pydantic import JsonValue

from shared.frozen import FrozenModel
from shared.runs import RunStatus


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
