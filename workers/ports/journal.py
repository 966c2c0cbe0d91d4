"""The journal that the screens show."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import JsonValue


class Journal(Protocol):
    """Events of the business that the screens show, beside those that SQL writes with a run's state."""

    async def write(self, level: str, source: str, message: str, metadata: Mapping[str, JsonValue]) -> None:
        """Write an event. A failure to write is logged and stops nobody."""
