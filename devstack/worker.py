"""A real worker beside the stack: the same command and the same variables as in production, other addresses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.processes import ServiceError
from workers.settings import PLATFORM_SITES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstack.stack import Stack

_PROJECT = Path(__file__).parents[1]


def worker_environment(stack: Stack) -> dict[str, str]:
    """Name every variable that makes `emocare` speak to this stack."""
    variables = {
        "SUPABASE_URL": stack.url,
        "SUPABASE_SERVICE_ROLE_KEY": stack.secret_key,
        "DATABASE_URL": stack.database_url,
    }
    if stack.vendors_url is not None:
        variables |= {
            "LLM_BASE_URL": f"{stack.vendors_url}/openai/v1",
            "LOVABLE_API_KEY": "devstack",
            "GITHUB_API_URL": f"{stack.vendors_url}/github",
            "GITHUB_TOKEN": "devstack",
            "PERPLEXITY_API_URL": f"{stack.vendors_url}/perplexity",
            "PERPLEXITY_API_KEY": "devstack",
            "FIRECRAWL_API_URL": f"{stack.vendors_url}/firecrawl/v2",
            "FIRECRAWL_API_KEY": "devstack",
            "COMPETITOR_PAGES": "https://concurrent-a.example/tarifs,https://concurrent-b.example",
            "TECH_WATCH_PAGES": "https://veille-technique.example",
            "STRIPE_API_URL": f"{stack.vendors_url}/stripe",
            "STRIPE_SECRET_KEY": "rk_devstack",
            "PLATFORM_URLS": ",".join(f"{key}={stack.vendors_url}/sites/{key}" for key in PLATFORM_SITES),
        }
    return variables


def build_environment(stack: Stack, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the whole environment of a worker: what speaks to this stack, then `settings`."""
    # The person's own project must never be reached by accident: none of its variables is inherited.
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TERM"}}
    own = {"EMOCARE_ENV_FILE": os.devnull, "PYTHONPATH": str(_PROJECT)}
    return kept | own | worker_environment(stack) | dict(settings or {})


def emocare(stack: Stack, *arguments: str) -> str:
    """Run one command of `emocare` against the stack and return what it prints.

    Raises: ServiceError, with what the command said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        env=build_environment(stack),
        cwd=_PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise ServiceError(f"`emocare {arguments[0]}` ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def start_worker(
    stack: Stack, log: Path, settings: Mapping[str, str], *, command: str = "work", module: str = "workers"
) -> subprocess.Popen[bytes]:
    """Start `emocare work`, or `serve`, against the stack, its log in a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, command],
            env=build_environment(stack, settings),
            cwd=_PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
