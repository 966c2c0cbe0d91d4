"""HTTP and worker in one process: opened together, and stopped in an order that leaves no caller without an answer."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from shared.errors import ConfigurationError
from workers.desk import Desk
from workers.loop import Loop
from workers.settings import HttpSettings

log = structlog.get_logger(__name__)

_KEEP_ALIVE_SECONDS: Final = 75
_BACKLOG: Final = 1024
# Once every run has ended or was handed back, answers only need to be written.
_LAST_ANSWERS_SECONDS: Final = 5


class _Server(uvicorn.Server):
    """Uvicorn, which leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, worker: Loop, desk: Desk, settings: HttpSettings, stop: asyncio.Event) -> None:
    """Listen and work until told to stop.

    Then: no new connection, running work finishes or is handed back, each ended run answers who waits for it, whoever
    still waits is told that the run goes on.
    Raises: ConfigurationError when the port cannot be had.
    """
    listening = _listen(settings)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    server = _Server(config)
    stop_working = asyncio.Event()
    stopping = asyncio.create_task(stop.wait())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    working = asyncio.create_task(worker.run(stop_working))
    log.info("http.listening", host=settings.host, port=listening.getsockname()[1])
    try:
        await asyncio.wait({stopping, serving, working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        stop_working.set()
        await asyncio.wait({working})
        desk.close()
        await asyncio.wait({serving}, timeout=_LAST_ANSWERS_SECONDS)
        server.force_exit = True
        await asyncio.wait({serving})
    await asyncio.gather(working, serving)
    log.info("http.stopped")


def _listen(settings: HttpSettings) -> socket.socket:
    # The protocol is named: of a socket without, asyncio does not know that it is TCP and leaves Nagle's delay on.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"HTTP_HOST, PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}."
        ) from error
    listening.listen(_BACKLOG)
    listening.setblocking(False)  # noqa: FBT003 - its only parameter
    return listening
