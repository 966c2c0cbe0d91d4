"""What each process of a stack spends on a run: CPU time, which a busy machine blurs less than a clock.

Read from the operating system's accounts in ``/proc``: what a process and its living descendants have used, and what
it has waited for, so that a PostgreSQL backend that came and went is counted with its parent.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figures import Figure
from bench.rig import Rig

_TICKS: Final = os.sysconf("SC_CLK_TCK")

CALLERS: Final = "callers"
DATABASE: Final = "PostgreSQL"
WORKER: Final = "service"


@dataclass(frozen=True)
class _Account:
    """One process: its parent; its own time, and that of the children it has waited for. Units: seconds."""

    parent: int
    own: float
    reaped: float


def _read_account(pid: int) -> _Account | None:
    """Read the account of a process; None when it has ended."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything. After it: state, parent, …, and the 14th to 17th field are the times.
    fields = line.rpartition(")")[2].split()
    user, system, reaped_user, reaped_system = (int(field) / _TICKS for field in fields[11:15])
    return _Account(int(fields[1]), user + system, reaped_user + reaped_system)


def read_tree(pid: int) -> float:
    """Return the CPU seconds of a process, its living descendants, and all that they have waited for."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    accounts = {number: _read_account(number) for number in pids}
    seconds, waiting = 0.0, [pid]
    while waiting:
        parent = waiting.pop()
        if (account := accounts.get(parent)) is not None:
            seconds += account.own + account.reaped
        waiting += [child for child, theirs in accounts.items() if theirs is not None and theirs.parent == parent]
    return seconds


def read_self() -> float:
    """Return the CPU seconds of this process alone."""
    times = os.times()
    return times.user + times.system


def read_stack(rig: Rig, *, service: int | None = None, own: str = CALLERS) -> dict[str, float]:
    """Return the CPU seconds of each process of a stack so far, this process's under the name ``own``."""
    pids = {DATABASE: rig.stack.cluster.pid, **rig.stack.pids, WORKER: service}
    return {name: read_tree(pid) for name, pid in pids.items() if pid is not None} | {own: read_self()}


def describe_cost(what: str, before: Mapping[str, float], after: Mapping[str, float], runs: int, target: str) -> Figure:
    """Make the figure of what a run cost: the worker and PostgreSQL together, then everybody, the largest first."""
    spent = {name: 1000 * (after[name] - before[name]) / runs for name in after}
    ours = sum(spent.get(name, 0) for name in (WORKER, DATABASE))
    parts = sorted(spent.items(), key=lambda part: -part[1])
    return Figure(
        f"CPU per run, {what}: service + PostgreSQL",
        f"{ours:.1f} ms",
        target,
        f"{', '.join(f'{name} {ms:.1f}' for name, ms in parts)}; all {sum(spent.values()):.1f} ms; "
        f"{runs} runs, load {os.getloadavg()[0]:.0f}",
    )
