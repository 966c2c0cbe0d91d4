"""A relay that runs, seen from outside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from support.scripted_server import HOST


class Relay(httpx.AsyncClient):
    """A client of one running relay; calls name the function."""

    def __init__(self, port: int, log: Path) -> None:
        super().__init__(base_url=f"http://{HOST}:{port}/functions/v1/", timeout=20)
        self.port = port
        self._log = log

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it logged: one JSON object per line, whatever happens."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


StartRelay = Callable[..., Relay]
