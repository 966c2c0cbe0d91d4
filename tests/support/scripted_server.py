"""A server that answers as told: what the workers, or Supabase, could do to the relay, and worse.

It speaks HTTP by hand, one request per connection, because a well-bred server cannot cut a connection short.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"

# Instead of an answer: the connection is closed without a byte, or left open for ever.
CUT = b""
SILENCE = None

Reply = bytes | None


@dataclass(frozen=True)
class Heard:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def answer(status: int = 200, fields: Any = None, **headers: str) -> bytes:
    """Write a JSON answer; an underscore in a header's name stands for its hyphen."""
    body = json.dumps({} if fields is None else fields).encode()
    return write(status, body, **({"content_type": "application/json"} | headers))


def write(status: int, body: bytes, **headers: str) -> bytes:
    """Write an answer of any kind."""
    given = {"content_length": str(len(body)), "connection": "close"} | headers
    lines = [f"HTTP/1.1 {status} -", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class ScriptedServer:
    """Gives the scripted replies, one each, then `usual`; remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.usual: Callable[[Heard], Reply] = lambda _: answer(200, {"success": True})
        self.pause = 0.0
        """How long each answer takes, in seconds."""
        self._script: list[Reply] = []

    def script(self, *replies: Reply) -> None:
        self._script = list(replies)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._silences: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._silences:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            heard = await _read(reader)
            self.heard.append(heard)
            reply = self._script.pop(0) if self._script else self.usual(heard)
            await asyncio.sleep(self.pause)
            if reply is SILENCE:
                self._silences.add(writer)
                return
            writer.write(reply)
            await writer.drain()
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}
    method, path, _ = first.split(" ")
    return Heard(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
