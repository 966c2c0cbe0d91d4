"""How the database and its queue are doing."""

from typing import Literal

from shared.frozen import FrozenModel


class QueueState(FrozenModel):
    """The state of the queue."""

    waiting: int
    running: int
    oldest_due_seconds: float


CheckState = Literal["green", "amber", "red"]


class Check(FrozenModel):
    """One line of the doctor."""

    code: str
    """Which check it is, for programs; the name and the detail are for people."""
    name: str
    state: CheckState
    detail: str
