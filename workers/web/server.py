"""HTTP and worker in one process: opened together, and stopped in an order that leaves no caller without an answer."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.errors import ConfigurationError
from workers.runtime.launcher import RunLauncher
from workers.runtime.worker import Worker
from workers.settings import HttpSettings

log = structlog.get_logger(__name__)

_KEEP_ALIVE_SECONDS: Final = 75
# How much a request may send besides its body: its request line and headers, or what follows the body.
_HEAD_BYTES: Final = 64 * 1024
_BACKLOG: Final = 1024
# Once every run has ended or was handed back, answers only need to be written.
_LAST_ANSWERS_SECONDS: Final = 5
_CANCELLED_ANSWERS_SECONDS: Final = 1


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection: uvicorn's, which by itself waits for ever for the rest of a request and keeps endless headers."""

    whole_within_seconds = 30.0

    _head_bytes_read = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request; refuse one whose head is too large."""
        self._wait()
        self._head_bytes_read += len(data)
        super().data_received(data)
        if self._head_bytes_read > _HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """Handle the start of a request, perhaps in the same piece as the end of another."""
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
        self._head_bytes_read = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Handle a piece of the body."""
        self._head_bytes_read = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of the request."""
        self._head_bytes_read = 0
        self._stop_waiting()
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing about a request for another protocol: anybody may send one, as often as they like."""

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.whole_within_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.pipeline:  # an earlier request is being answered, and nothing is read until then
            self._wait()
            return
        # An extra line break after a request that is being answered is nothing to wait for.
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            self.transport.close()


class _Server(uvicorn.Server):
    """Uvicorn, made to leave the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: ASGIApp, worker: Worker, launcher: RunLauncher, settings: HttpSettings, stop: asyncio.Event
) -> None:
    """Listen and work until the stop event is set.

    Then: no new connection, running work finishes or is handed back, callers that wait for a run get its result if it
    has ended, and otherwise the answer that the run goes on.
    Raises: ConfigurationError when the port is not available.
    """
    listening = _listen(settings.host, settings.port, variables="HTTP_HOST, PORT")
    server = _Server(_configure(app))
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
        launcher.close()
        await asyncio.wait({serving}, timeout=_LAST_ANSWERS_SECONDS)
        for answering in list(server.server_state.tasks):  # waiting for something that does not come
            answering.cancel()
        await asyncio.wait({serving}, timeout=_CANCELLED_ANSWERS_SECONDS)
        server.force_exit = True
        await asyncio.wait({serving})
    await asyncio.gather(working, serving)
    log.info("http.stopped")


@contextlib.asynccontextmanager
async def serve_beside(app: ASGIApp, host: str, port: int, *, variables: str) -> AsyncIterator[int]:
    """Serve a second application, on a port of its own, while the block lasts; return the port.

    Raises: ConfigurationError, naming these variables, when the port is not available.
    """
    listening = _listen(host, port, variables=variables)
    server = _Server(_configure(app))
    serving = asyncio.create_task(server.serve(sockets=[listening]), name=f"server {variables}")
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait({serving})


def _configure(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=LimitedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )


def _listen(host: str, port: int, *, variables: str) -> socket.socket:
    # The protocol is named because otherwise asyncio does not know that the socket is TCP and leaves Nagle's delay on.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"{variables}: cannot listen on {host}:{port}: {error.strerror}.") from error
    listening.listen(_BACKLOG)
    listening.setblocking(False)  # noqa: FBT003 - its only parameter
    return listening
