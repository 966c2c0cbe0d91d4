"""How the database and its queue are doing."""

from typing import Literal

from shared.frozen import FrozenModel


class QueueState(FrozenModel):
    """How the queue stands."""

    waiting: int
    running: int
    oldest_due_seconds: float


CheckState = Literal["green", "amber", "red"]


class Check(FrozenModel):
    """One line of the doctor."""

    code: str
    """Which check it is, for programs; the name and the detail are for who reads them."""
    name: str
    state: CheckState
    detail: str
