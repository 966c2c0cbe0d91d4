"""The journal that the screens show."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue


class Journal(Protocol):
    """Business events that the screens show, besides those that SQL writes with a run's state."""

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event. A failure to write is logged, not raised."""
