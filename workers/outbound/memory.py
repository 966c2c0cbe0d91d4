"""Gives freed memory back to the system, which the C library does only for the end of its heap.

A burst of long answers leaves tens of megabytes free below whatever was allocated after them. The next burst would find
them in pieces too small for its own, and the process would grow with each.
"""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Final
from weakref import WeakSet

_AFTER_SECONDS: Final = 0.25
_M_MMAP_THRESHOLD: Final = -3
_APART_BYTES: Final = 64 * 1024

_planned: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()


def _find_trim() -> Callable[[int], object] | None:
    try:
        libc = ctypes.CDLL(None)
        # By itself, it learns from a long buffer that is freed to put the next ones into the heap.
        libc.mallopt(_M_MMAP_THRESHOLD, _APART_BYTES)
        trim: Callable[[int], object] = libc.malloc_trim
    except (AttributeError, OSError):
        return None  # not glibc: the promise of 250 MB is made for the image
    return trim


_trim: Final = _find_trim()


def return_soon() -> None:
    """Give freed memory back in a moment, once for all that is freed until then.

    Cost: a few milliseconds, four times a second at most.
    """
    loop = asyncio.get_running_loop()
    if _trim is not None and loop not in _planned:
        _planned.add(loop)
        loop.call_later(_AFTER_SECONDS, _return, loop)


def _return(loop: asyncio.AbstractEventLoop) -> None:
    _planned.discard(loop)
    if _trim is not None:
        _trim(0)
