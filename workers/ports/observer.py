"""What a worker does, as it is counted for monitoring."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol

from shared.findings import Gap
from workers.ports.model import Bills
from workers.ports.notifications import SendOutcome


class AttemptEnd(StrEnum):
    """How an attempt ended, as its worker saw it."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRY = "pending"
    LEASE_LOST = "lease_lost"
    LOST = "lost"
    HANDED_BACK = "handed_back"
    UNSETTLED = "unsettled"

    @property
    def is_intended(self) -> bool:
        """Return whether the attempt did its work, or somebody wanted it to end."""
        return self in {AttemptEnd.COMPLETED, AttemptEnd.CANCELLED, AttemptEnd.HANDED_BACK}

    @property
    def lost_its_lease(self) -> bool:
        """Return whether another worker may own the run now: noticed by a write, or by a renewal."""
        return self in {AttemptEnd.LEASE_LOST, AttemptEnd.LOST}


class ModelCallEnd(StrEnum):
    """How one call of a model ended."""

    ANSWERED = "answered"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    UNUSABLE = "unusable"
    ABANDONED = "abandoned"


class BackendCallEnd(StrEnum):
    """How one call of a database function ended."""

    ANSWERED = "answered"
    REFUSED = "refused"  # by PostgREST or PostgreSQL, with an error of theirs
    UNAVAILABLE = "unavailable"
    ABANDONED = "abandoned"  # nobody waits for it any more


class Observer(Protocol):
    """Is notified of what happened. Its methods neither wait nor raise, and are called where it happens."""

    def note_attempt(self, run_type: str, end: AttemptEnd, seconds: float, bills: Bills) -> None:
        """Note how an attempt ended, how long after its claim, and what it billed."""

    def note_bills(self, bills: Bills) -> None:
        """Note what was billed outside an attempt."""

    def note_model_call(self, model: str, end: ModelCallEnd, seconds: float) -> None:
        """Note one call of a model."""

    def note_backend_call(self, function: str, end: BackendCallEnd, seconds: float) -> None:
        """Note one call of a database function."""

    def note_gaps(self, gaps: Iterable[Gap]) -> None:
        """Note what the sources of a report could not read."""

    def note_delivery(self, kind: str, outcome: SendOutcome, *, to_device: bool) -> None:
        """Note one try to send a message."""


class _NoObserver:
    def note_attempt(self, run_type: str, end: AttemptEnd, seconds: float, bills: Bills) -> None: ...
    def note_bills(self, bills: Bills) -> None: ...
    def note_model_call(self, model: str, end: ModelCallEnd, seconds: float) -> None: ...
    def note_backend_call(self, function: str, end: BackendCallEnd, seconds: float) -> None: ...
    def note_gaps(self, gaps: Iterable[Gap]) -> None: ...
    def note_delivery(self, kind: str, outcome: SendOutcome, *, to_device: bool) -> None: ...


UNOBSERVED: Final[Observer] = _NoObserver()
"""For whoever is not monitored."""
