"""A worker that kills itself at a named place: ``DIE_AT=settle:after`` in its environment, ``DIE_BY`` another signal.

A place that is passed several times has a number from the second time on: ``ask 2:after``.
It is the ordinary worker with its store, its sources and its gateway wrapped, so that nothing in production code
knows of it. Places are ``NAME:before`` and ``NAME:after`` of the calls below; a checkpoint's name holds its step.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from workers import cli
from workers.backend.runs import SupabaseRunStore
from workers.bootstrap import parts
from workers.gateway.chat import ChatGateway

Call = Callable[..., Awaitable[Any]]

BOUNDARIES = [
    "claim:after",  # as if the answer were lost on its way, too
    "read_inputs:after",
    "collect:before",
    "collect:after",
    "checkpoint Collecte:after",
    "ask:before",
    "ask:after",
    "checkpoint Rapport du modèle:before",
    "checkpoint Rapport du modèle:after",
    "settle:before",
    "settle:after",
]


PASSED: Counter[str] = Counter()


def die(name: str, when: str) -> None:
    """End this very process as a power cut would, if this is the place; or stop it, if that is the signal."""
    place = f"{name}:{when}"
    PASSED[place] += 1
    number = f" {PASSED[place]}" if PASSED[place] > 1 else ""
    if f"{name}{number}:{when}" == os.environ["DIE_AT"]:
        os.kill(os.getpid(), int(os.environ.get("DIE_BY", signal.SIGKILL)))


def mortal(name: str, call: Call) -> Call:
    """Wrap a call so that it can be survived by nobody."""

    async def wrapped(*arguments: Any, **options: Any) -> Any:
        step = f" {arguments[2].name}" if name == "checkpoint" else ""
        die(f"{name}{step}", "before")
        answer = await call(*arguments, **options)
        if name != "claim" or answer:
            die(f"{name}{step}", "after")
        return answer

    return wrapped


def main() -> None:
    """Run the command line of a mortal worker."""
    owners = dict.fromkeys(("claim", "read_inputs", "checkpoint", "settle"), SupabaseRunStore)
    for name, owner in {**owners, "ask": ChatGateway}.items():
        setattr(owner, name, mortal(name, getattr(owner, name)))
    vars(parts)["collect_all"] = mortal("collect", vars(parts)["collect_all"])
    cli.main()


if __name__ == "__main__":
    main()
