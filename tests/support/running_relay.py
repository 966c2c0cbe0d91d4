"""A relay that runs, seen from outside."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from devstack.functions import start_functions
from devstack.processes import Processes
from support.hq import Hq
from support.scripted_server import HOST
from workers.web.app import PREFIX


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

AT_ONCE: dict[str, str] = {"RELAY_MIN_MS": "0"}
"""A launch is answered as soon as the workers have answered."""


def start_relay_in_front_of(
    hq: Hq,
    workers_url: str,
    processes: Processes,
    *,
    port: int | None = None,
    settings: Mapping[str, str] = AT_ONCE,
    wall_clock_seconds: float | None = None,
) -> str:
    """Put the relay in front of a service, at the port of the stack unless another is named; return its URL."""
    port = port or hq.stack.functions_port
    start_functions(
        processes,
        port=port,
        workers_url=workers_url.removesuffix(PREFIX),
        supabase_url=hq.stack.url,
        anon_key=hq.stack.anon_key,
        settings=settings,
        wall_clock_seconds=wall_clock_seconds,
    )
    return f"http://{HOST}:{port}{PREFIX}"
