"""The edge functions of `supabase/functions`, served by the real Deno.

They are children like the others of a stack. No import may leave this machine: what is deployed has none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.processes import ServiceError, answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.processes import Processes

_PROJECT = Path(__file__).parents[1]
FUNCTIONS = _PROJECT / "supabase" / "functions"


def find_deno() -> Path:
    """Find the Deno that npm installed.

    Raises: ServiceError.
    """
    deno = _PROJECT / "node_modules" / ".bin" / "deno"
    if not deno.exists():
        raise ServiceError("no Deno found in node_modules: run `npm ci`")
    return deno


def start_functions(
    processes: Processes,
    *,
    port: int,
    workers_url: str,
    supabase_url: str,
    anon_key: str,
    settings: Mapping[str, str] | None = None,
    wall_clock_seconds: float | None = None,
) -> None:
    """Serve every function at `http://127.0.0.1:PORT/functions/v1/NAME`, in front of the workers, and wait for it.

    `settings` are further secrets, as `supabase secrets set` would give them: ALLOWED_ORIGIN, RELAY_MIN_MS…
    FUNCTIONS_FOLDER among them names another version's functions.
    With `wall_clock_seconds` each function has an isolate that is killed when it is so old (150 s on the free plan).
    Raises: ServiceError.
    """
    secrets = {"FUNCTIONS_FOLDER": str(FUNCTIONS), **(settings or {})}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "DENO_NO_PACKAGE_JSON": "1",
        "DENO_NO_UPDATE_CHECK": "1",
        "NO_COLOR": "1",
        "FUNCTIONS_PORT": str(port),
        "SUPABASE_URL": supabase_url,
        "SUPABASE_ANON_KEY": anon_key,
        "WORKERS_URL": workers_url,
    }
    if wall_clock_seconds is not None:
        environment["FUNCTIONS_WALL_CLOCK_MS"] = str(round(wall_clock_seconds * 1000))
    isolate = Path(__file__).with_name("isolate.ts")
    offline = ["--no-remote", "--no-npm", "--no-lock", "--no-prompt", "--quiet"]
    allowed = ["--allow-net", "--allow-env", f"--allow-read={secrets['FUNCTIONS_FOLDER']},{isolate}"]
    script = Path(__file__).with_name("functions.ts")
    command: list[str | Path] = [find_deno(), "run", *offline, *allowed, script]
    processes.start("functions", command, {**environment, **secrets})
    processes.wait_until("functions", answers(port, "/_health"))
