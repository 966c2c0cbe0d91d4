"""How the database and its queue are doing."""

from typing import Literal

from shared.frozen import FrozenModel


class QueueState(FrozenModel):
    """The state of the queue."""

    waiting: int
    running: int
    oldest_due_seconds: float


class DeliveryState(FrozenModel):
    """How the messages stand that leave by channels, or those for devices; the worst of their targets counts."""

    kind: Literal["channel", "device"]
    oldest_waiting_seconds: float
    failures_in_a_row: int


CheckState = Literal["green", "amber", "red"]


class Check(FrozenModel):
    """One line of the doctor."""

    code: str
    """Which check it is, for programs; the name and the detail are for people."""
    name: str
    state: CheckState
    detail: str
