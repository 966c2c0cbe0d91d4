"""``python -m devstack.mailbox``: an SMTP server that keeps each message as a file, until a signal ends it.

Nothing leaves this machine: whoever a message is for, it ends in the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from email import message_from_bytes
from email.policy import default
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP

from devstack.processes import HOST

if TYPE_CHECKING:
    from email.message import EmailMessage


class Mailbox:
    """Keeps messages, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(len(list(folder.glob("*.eml"))) + 1)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's
        """Keep a message."""
        del server, session
        name = self._folder / f"{next(self._numbers):04}.eml"
        # Written beside and moved: who looks at the folder sees whole messages only.
        beside = name.with_suffix(".part")
        beside.write_bytes(envelope.content)
        beside.rename(name)
        return "250 Kept"


def read_mailbox(folder: Path) -> list[EmailMessage]:
    """Return the messages that came, oldest first."""
    return [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.glob("*.eml"))]


async def _serve(port: int, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    mailbox = Mailbox(folder)
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="mailbox.emocare.test", ident="devstack", loop=loop), HOST, port
    )
    async with server:
        print(f"mailbox ready on {HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


def main() -> None:
    """Serve, and print one line once messages are taken."""
    parser = argparse.ArgumentParser(prog="devstack.mailbox", description="An SMTP server that keeps what it gets.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which the ready line names")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.folder))


if __name__ == "__main__":
    main()
