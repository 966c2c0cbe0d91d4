"""Notifications for the open pages."""

from typing import Protocol

from pydantic import JsonValue

from shared.frozen import FrozenModel
from shared.runs import RunId, RunStatus


class Announcement(FrozenModel):
    """A fixed message that the database holds for the open pages."""

    key: str
    event: str
    payload: dict[str, JsonValue]


class Announcer(Protocol):
    """Notifies the open pages. These are hints: a page that missed one shows the same a little later."""

    def note_end(self, run_type: str, status: RunStatus) -> None:
        """Note how an attempt ended, without blocking."""

    def note_answer(self, run_id: RunId) -> None:
        """Note that whoever asked for a run was answered how it failed, without blocking."""

    async def run(self) -> None:
        """Send announcements until cancelled."""
