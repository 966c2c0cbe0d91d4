"""What an answer may cost in memory, whoever sends it: the bytes while they arrive, and what they are parsed into.

Three bounds together keep the process small, whatever all third parties answer at once (decision 325):
- a body is counted after decompression, chunk by chunk; one that is no success is read for its first 32 kB only;
- beyond 32 kB it needs one of its host's few places, and waits for it within the call's deadline;
- JSON is parsed only if it has few enough marks, for the parsed values take memory in proportion to them.
Parsing follows reading without an await in between, so that one parsed answer exists at a time; readers turn it into a
few bounded values at once (``shapes``), and no error holds it.
"""

import asyncio
import gc
import json
import zlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError

from workers.outbound.faults import CallFailed, Fault
from workers.outbound.memory import return_soon
from workers.outbound.shapes import take_first

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
MOST_MARKS: Final = 150_000
"""The longest genuine answers have two thirds of that: a hundred dependency alerts, the list of a reseller's models."""

_SMALL_BYTES: Final = 32 * 1024
_PIECE_BYTES: Final = 16 * 1024  # of what is decompressed
_PLACES: Final = 2
# A list of empty lists, or of one-letter objects, takes twenty times its bytes, but at most 100 bytes per mark.
_MARKS: Final = b",:[{"
_PLAIN: Final = frozenset({"", "identity"})
_GZIP: Final = frozenset({"gzip", "x-gzip"})

T = TypeVar("T")
TakePlace = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: httpx.Headers
    body: bytes
    cut: bool

    def json(self) -> JsonValue:
        """Parse the body; drop it if it cannot be parsed.

        Raises: CallFailed (garbled) when it is not JSON, was cut off for its size, or expands to too much.
        """
        self.require_modest()
        gc.disable()  # nothing that is parsed needs it, and it would visit all objects of the process several times
        try:
            parsed: JsonValue = json.loads(self.body)
        except (ValueError, RecursionError):
            pass  # raised below: an error with this one as its context would hold the text that was parsed
        else:
            return parsed
        finally:
            gc.enable()
        self.forget()
        raise CallFailed(f"the body of a {self.status} is not JSON", fault=Fault.GARBLED)

    def parse(self, shape: TypeAdapter[T]) -> T:
        """Parse the body as a shape; of a list, take as many items as any page has. Drop a body of another shape.

        Raises: CallFailed (garbled).
        """
        try:
            return shape.validate_python(take_first(self.json()))
        except ValidationError as error:
            problem = f"has another shape than expected: {error.error_count()} error(s)"
        self.forget()
        raise CallFailed(f"the body of a {self.status} {problem}", fault=Fault.GARBLED)

    def forget(self) -> None:
        """Drop the body before raising an error, which holds every frame it passes through.

        A hundred reads of one run end together: whatever their errors held would be in memory at once.
        """
        self.body = b""

    def require_modest(self, *, most_marks: int = MOST_MARKS, most_objects: int = MOST_MARKS) -> None:
        """Check that the body was read whole and does not expand to too much; drop it otherwise.

        Cost: linear in the body.   Raises: CallFailed (garbled).
        """
        if self.cut:
            problem = "is not JSON, but a part of it"
        elif not is_modest(self.body, most_marks=most_marks, most_objects=most_objects):
            problem = "expands to too much"
        else:
            return
        self.forget()
        raise CallFailed(f"the body of a {self.status} {problem}", fault=Fault.GARBLED)


_Places = defaultdict[str, asyncio.Semaphore]
_places: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Places]] = WeakKeyDictionary()


def find_places(host: str) -> asyncio.Semaphore:
    """Return the places of a host's long bodies: its own, so that a host that blocks them delays no other."""
    loop = asyncio.get_running_loop()
    return _places.setdefault(loop, defaultdict(lambda: asyncio.Semaphore(_PLACES)))[host]


def is_modest(body: bytes, *, most_marks: int = MOST_MARKS, most_objects: int = MOST_MARKS) -> bool:
    """Return whether JSON expands to little enough to be parsed.   Cost: linear."""
    return sum(body.count(mark) for mark in _MARKS) <= most_marks and body.count(b"{") <= most_objects


async def read_body(response: httpx.Response, max_bytes: int, take_place: TakePlace | None = None) -> Response:
    """Read at most ``max_bytes``; 0 reads no body. ``take_place`` is awaited once the body turns out to be long.

    Raises: httpx.DecodingError, and what the transport raises.
    """
    if not max_bytes:  # the status was all that was wanted
        return Response(response.status_code, response.headers, b"", cut=False)
    if not response.is_success:
        max_bytes = min(max_bytes, _SMALL_BYTES)
    decode = _open_decoder(response.headers.get("content-encoding", "").strip().lower())
    body = bytearray()
    received = 0
    try:
        # httpx declares an iterator and returns a generator, which must be closed when it is left early.
        async with aclosing(cast("AsyncGenerator[bytes]", response.aiter_raw())) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                if received > max_bytes + _SMALL_BYTES:  # empty blocks of gzip expand to nothing, for ever
                    await close(response)
                    return Response(response.status_code, response.headers, bytes(body), cut=True)
                for piece in decode(chunk):
                    body += piece
                    if len(body) > max_bytes:
                        del body[max_bytes:]
                        await close(response)  # the rest is never read
                        return Response(response.status_code, response.headers, bytes(body), cut=True)
                    if take_place is not None and len(body) > _SMALL_BYTES:
                        await take_place()
                        take_place = None
        return Response(response.status_code, response.headers, bytes(body), cut=False)
    finally:
        if len(body) >= _SMALL_BYTES:
            return_soon()
        body.clear()  # an error that leaves this frame would hold what is in it


async def close(response: httpx.Response) -> None:
    """Close a response's connection, and let go of it.

    The library's response and its stream refer to each other, so that the connection, with what it received and nobody
    read, would stay in memory until the garbage collector comes by, which counts objects and not bytes.
    """
    try:
        await asyncio.shield(response.aclose())
    finally:
        response.stream = httpx.ByteStream(b"")


async def cancel_once(exchange: Coroutine[Any, Any, T]) -> T:
    """Await an exchange in a task of its own, which is cancelled once, however often whoever waits for it is.

    Deadlines lie inside each other: of a call, of a source, of a run. Where two of them end together, the second
    cancellation would meet the HTTP library as it closes the connection, and leave it open for ever.
    """
    task = asyncio.ensure_future(exchange)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise


def _open_decoder(coding: str) -> Callable[[bytes], Iterator[bytes]]:
    """Return a function that decodes a chunk piece by piece, because few bytes may expand to gigabytes.

    Raises: httpx.DecodingError for a coding that was not asked for, such as two on top of each other.
    """
    if coding in _PLAIN:
        return lambda chunk: iter((chunk,))
    if coding not in _GZIP:
        raise httpx.DecodingError(f"content-encoding {coding[:20]!r} was not asked for")
    gzip = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def unfold(chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                if gzip.eof:  # what follows would be copied again with each chunk
                    raise httpx.DecodingError("bytes after the end of the gzip stream")
                yield gzip.decompress(chunk, _PIECE_BYTES)
                chunk = gzip.unconsumed_tail or gzip.unused_data
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    return unfold
