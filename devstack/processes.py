"""The children of a stack: started with a log each, awaited until they answer, and never left behind.

Every child joins the process group of one guardian, a shell that does nothing but read a pipe whose other end only
this process holds. When this process ends, however it ends, the read returns and the guardian kills its group.
That needs no feature of one operating system and no cooperation of the child, and it names no process id.
"""

from __future__ import annotations

import http.client
import random
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from devstack import warm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from devstack.warm import WarmProcess

HOST = "127.0.0.1"

# Outside the range from which the system takes the ports of outgoing connections: nobody may sit on a port of ours
# while the service behind it restarts.
_PORTS = range(20_000, 32_000)
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class ServiceError(Exception):
    """A service of the stack did not start, or is not there."""


def choose_port() -> int:
    """Choose a port that nobody listens on."""
    for port in random.sample(_PORTS, k=200):
        if is_port_free(port):
            return port
    raise ServiceError(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def is_port_free(port: int) -> bool:
    """Whether a service could listen on the port."""
    try:
        socket.create_server((HOST, port)).close()
    except (OSError, OverflowError):
        return False
    return True


def answers(port: int, path: str, *, below: int = 300) -> Callable[[], bool]:
    """Make the question whether a service answers this GET with success, or with any status `below` another."""

    def ask() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < below
        except OSError:
            return False
        finally:
            connection.close()

    return ask


class Processes:
    """The children of one stack, by name."""

    def __init__(self, log_dir: Path) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._children: dict[str, subprocess.Popen[bytes] | WarmProcess] = {}
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", "read -r _; kill -KILL 0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        """Start a child; what it prints goes to `NAME.log`."""
        with self._log_path(name).open("ab") as log:
            self._children[name] = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=self._guardian.pid,
            )

    def start_module(self, name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a child that is a Python module of this project."""
        child = warm.start(
            module, arguments, environment, log=self._log_path(name).absolute(), group=self._guardian.pid
        )
        if child is None:
            self.start(name, [sys.executable, "-m", module, *arguments], environment)
        else:
            self._children[name] = child

    def wait_until(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until a child does its work.

        Raises: ServiceError, with the end of its log.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            status = self._children[name].poll()
            if status is not None or time.monotonic() > deadline:
                what = "did not answer in time" if status is None else f"ended with status {status}"
                log = self._log_path(name).read_text(errors="replace")[-2000:]
                raise ServiceError(f"{name} {what}:\n{log or '(it said nothing)'}")
            time.sleep(0.01)

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the children, by name."""
        return {name: child.pid for name, child in self._children.items()}

    def is_running(self, name: str) -> bool:
        """Whether the child lives."""
        return name in self._children and self._children[name].poll() is None

    def stop(self, name: str) -> None:
        """Ask a child to end, with force if it does not; harmless when it has."""
        child = self._children.pop(name, None)
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def kill(self, name: str) -> None:
        """End a child as a crash would."""
        child = self._children.pop(name)
        child.kill()
        child.wait()

    def close(self) -> None:
        """End every child, the youngest first, and the guardian."""
        for child in self._children.values():
            child.terminate()
        for name in reversed(list(self._children)):
            self.stop(name)
        self._guardian.communicate()

    def _log_path(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"
