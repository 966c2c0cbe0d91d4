"""What was freed goes back to the system, also from below what is still in use."""

import asyncio
from pathlib import Path

from workers.outbound.memory import return_soon

PIECE_BYTES = 30_000
PIECES = 2_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_freed_memory_is_given_back_from_below_what_is_in_use() -> None:
    pieces = [b"x" * PIECE_BYTES for _ in range(PIECES)]
    kept = pieces[9::10]
    full = resident_bytes()
    del pieces
    for _ in range(3):
        return_soon()

    await asyncio.sleep(0.4)

    assert len(kept) == PIECES // 10
    assert full - resident_bytes() > PIECE_BYTES * PIECES // 2


async def test_long_buffers_are_kept_apart_from_the_heap() -> None:
    """The C library would keep them, once it has seen one freed, in the heap, where a later small one holds them."""
    buffers = [bytearray(2_000_000) for _ in range(2)]
    del buffers
    before = resident_bytes()
    buffers = [bytearray(b"x" * 200_000) for _ in range(200)]
    small = [bytes(1_000) for _ in range(10)]
    del buffers

    assert len(small) == 10
    assert resident_bytes() - before < 10_000_000
