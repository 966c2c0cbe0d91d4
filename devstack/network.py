"""The network between a worker and the stack, where it can be cut, slowed, narrowed and made silent.

A TCP proxy in a thread of its own: who uses it may block, or run another event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from devstack.processes import HOST, choose_port

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK: Final = 65_536
_TICK_SECONDS: Final = 0.05
_CLOSE_SECONDS: Final = 5
# Closing sends a reset at once: whoever is at the other end learns it in the middle of whatever he does.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class NetworkConditions:
    """How the network is just now."""

    is_cut: bool = False  # connections are reset, new ones refused
    is_silent: bool = False  # connections stay, nothing comes through
    delay_seconds: float = 0.0  # of every piece
    bytes_per_second: float = 0.0  # of every connection and direction; 0 is no limit


CLEAR: Final = NetworkConditions()


class Network:
    """Leads one address on this machine to another one; `url` is how to get there."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._port = choose_port()
        self._conditions = CLEAR
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)

    @property
    def url(self) -> str:
        """The address through the network."""
        return f"http://{HOST}:{self._port}"

    def apply(self, conditions: NetworkConditions) -> None:
        """Change the network for what is open, and for what will be."""
        asyncio.run_coroutine_threadsafe(self._apply(conditions), self._loop).result(timeout=10)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self._port)

    async def _close(self) -> None:
        self._server.close()
        await self._apply(NetworkConditions(is_cut=True))
        if self._passing:
            await asyncio.wait(self._passing, timeout=_CLOSE_SECONDS)

    async def _apply(self, conditions: NetworkConditions) -> None:
        self._conditions = conditions
        if conditions.is_cut:
            self._cut()
        if conditions.is_silent:
            self._flowing.clear()
        else:
            self._flowing.set()

    def _cut(self) -> None:
        for writer in self._open:
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        if self._conditions.is_cut:
            _reset(writer)
            return
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection(HOST, self._target)
            self._open |= {writer, back}
            ways = [asyncio.ensure_future(self._pass(*way)) for way in ((reader, back), (there, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                self._open -= {writer, back}
                back.close()
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await asyncio.sleep(self._conditions.delay_seconds)
            while data:
                await self._flowing.wait()
                # Asked again for every piece, so that a limit that is lifted is lifted for what is on its way, too.
                rate = self._conditions.bytes_per_second
                size = max(1, int(rate * _TICK_SECONDS)) if rate else len(data)
                writer.write(data[:size])
                await writer.drain()
                data = data[size:]
                if rate:
                    await asyncio.sleep(_TICK_SECONDS)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
