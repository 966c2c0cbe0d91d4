"""How the stand-in of Realtime treats its clients: by default as the hosted service does."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class RealtimeWays:
    """What is a matter of patience, of limits, and of a project's own switches."""

    subscribe_delay: tuple[float, float] = (1.0, 3.0)
    """Between the answer to a join and the confirmation that database changes are read."""
    poll_seconds: tuple[float, float] = (0.1, 0.5)
    """Between two reads of a log in which nothing was found."""
    refused_join_seconds: float = 5.0
    refused_socket_seconds: float = 2.0
    first_join_seconds: float = 0.0
    """How long the next join waits for the project's database; it may be 15 s where a project has slept."""
    public_access: bool = True
    """Whether channels may be joined that are not private."""
    keys_as_tokens: bool = True
    """Whether a key `sb_…` where a token belongs stands for its role's; otherwise it is a malformed token."""
    events_per_second: int = 100
    """What all clients together may send; beyond it the sender's channel is ended."""


HOSTED: Final = RealtimeWays()

QUICK: Final = RealtimeWays(
    subscribe_delay=(0, 0), poll_seconds=(0.01, 0.01), refused_join_seconds=0, refused_socket_seconds=0
)
"""As quick as it can be, for tests of other things."""
