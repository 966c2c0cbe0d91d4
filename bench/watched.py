"""`python -m bench.watched serve`: the ordinary worker, which also writes down how many tasks and objects it holds.

What is counted is what only the process itself can see; everything else is read from /proc. The file lies in
``WATCHED_FOLDER`` and is named by the process id; each line is a JSON object.
"""

import asyncio
import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import Final

from workers import cli

_EVERY_SECONDS: Final = 10


def main() -> None:
    """Run the command line beside a thread that counts."""
    threading.Thread(
        target=_count, args=(Path(os.environ["WATCHED_FOLDER"], f"{os.getpid()}.jsonl"),), daemon=True
    ).start()
    cli.main()


def _count(file: Path) -> None:
    while True:
        time.sleep(_EVERY_SECONDS)
        objects = gc.get_objects()
        # Not isinstance: some objects are proxies, and answer for what they stand for.
        tasks = sum(1 for each in objects if issubclass(type(each), asyncio.Task) and not each.done())
        line = json.dumps({"tasks": tasks, "objects": len(objects)}) + "\n"
        with file.open("a") as lines:
            lines.write(line)
        del objects


if __name__ == "__main__":
    main()
