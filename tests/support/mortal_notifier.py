"""A worker that kills itself at a line of a delivery: the one that is reached as the ``DIE_AT_LINE``-th.

The lines counted are those of the code that takes, sends and records a message. It is the ordinary worker: production
code knows nothing of it. What is counted is printed when no line is the last one.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from workers import cli

_WORKERS = Path(cli.__file__).parents[1]
_FILES = {
    str(_WORKERS / name)
    for name in (
        "notifications/delivery.py", "notifications/channels.py", "notifications/webpush.py", "backend/deliveries.py"
    )
}  # fmt: skip
_FUNCTIONS = {"_send_in_turn", "_send", "send", "_check", "_judge", "settle", "work", "report"}
_last = int(os.environ["DIE_AT_LINE"])
_passed = 0


def _trace(frame: FrameType, event: str, argument: Any) -> Any:
    del argument
    if frame.f_code.co_filename not in _FILES or frame.f_code.co_name not in _FUNCTIONS:
        return None
    if event == "line":
        global _passed  # noqa: PLW0603 - a count over all threads
        _passed += 1
        if _passed == _last:
            os.kill(os.getpid(), signal.SIGKILL)
    return _trace


def main() -> None:
    """Run the command line of a mortal worker."""
    threading.settrace(_trace)
    sys.settrace(_trace)
    cli.main()


if __name__ == "__main__":
    main()
