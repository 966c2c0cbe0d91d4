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

    name: str
    state: CheckState
    detail: str
