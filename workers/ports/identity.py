"""Who is calling."""

from typing import Protocol
from uuid import UUID

from shared.frozen import FrozenModel


class Caller(FrozenModel):
    """A person whose token was verified."""

    user_id: UUID
    is_owner: bool


class Identity(Protocol):
    """Identifies callers."""

    async def identify(self, token: str) -> Caller:
        """Verify a bearer token. Raises: Unauthenticated; BackendError when it could not be verified."""
