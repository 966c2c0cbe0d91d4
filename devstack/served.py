"""What a project serves beyond Supabase: the relay at `/functions/v1`, and behind it one `emocare serve`.

Both are the real ones: the functions as they are deployed, under Deno, and the worker's own command in a process of
its own, with the variables that it has in production.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from devstack.functions import start_functions
from devstack.processes import HOST, Processes, answers, choose_port
from devstack.worker import build_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from devstack.stack import Stack

WORKER = "worker"
RELAY = "functions"

# Shorter than what the stack allows its children for stopping, so that a running report is handed back and not lost.
_GRACE_SECONDS = 3


class Served:
    """The relay and the worker while they run."""

    def __init__(self, processes: Processes, *, port: int, log_dir: Path) -> None:
        self._processes = processes
        self._reported: set[str] = set()
        self._log_dir = log_dir
        self.port = port
        self.url = f"http://{HOST}:{port}/functions/v1"

    def log_of(self, name: str) -> Path:
        """Return the log of one of them."""
        return self._log_dir / f"{name}.log"

    def find_dead(self) -> list[str]:
        """Return the names of those that died since the last call."""
        dead = [name for name in (WORKER, RELAY) if not self._processes.is_running(name)]
        found = [name for name in dead if name not in self._reported]
        self._reported.update(found)
        return found


@contextlib.contextmanager
def serve_functions(
    stack: Stack,
    *,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Serve the functions of a project whose database is up to date; end that when the block ends.

    `settings` are the worker's variables, `secrets` those of the relay.
    Raises: ServiceError.
    """
    port = port or choose_port()
    given = {"HTTP_HOST": HOST, "PORT": str(port), "SHUTDOWN_GRACE_SECONDS": str(_GRACE_SECONDS)}
    log_dir = stack.data_dir / "logs"
    with contextlib.closing(Processes(log_dir)) as processes:
        environment = build_environment(stack, given | dict(settings or {}))
        processes.start(WORKER, [sys.executable, "-m", "workers", "serve"], environment)
        start_functions(
            processes,
            port=stack.functions_port,
            workers_url=f"http://{HOST}:{port}",
            supabase_url=stack.url,
            anon_key=stack.anon_key,
            settings=secrets,
        )
        # Any answer will do: a worker that has found old work waiting calls itself degraded.
        processes.wait_until(WORKER, answers(port, "/functions/v1/healthz", below=600))
        yield Served(processes, port=port, log_dir=log_dir)
