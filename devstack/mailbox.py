"""``python -m devstack.mailbox``: an SMTP server that keeps each message as a file, until a signal ends it.

Nothing leaves this machine: whoever a message is for, it ends in the folder, as it came (``.eml``) and as it is read
it (``.txt``).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from email import message_from_bytes
from email.policy import default
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP

from devstack.processes import HOST, Processes, choose_port, is_port_free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

_NAME = "mailbox"


class _Keeper:
    """Keeps messages, in the order in which they come."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(len(list(folder.glob("*.eml"))) + 1)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's
        """Keep a message."""
        del server, session
        name = self._folder / f"{next(self._numbers):04}.eml"
        name.with_suffix(".txt").write_text(_show(message_from_bytes(envelope.content, policy=default)))
        # Written beside and moved: who looks at the folder sees whole messages only.
        beside = name.with_suffix(".part")
        beside.write_bytes(envelope.content)
        beside.rename(name)
        return "250 Kept"


def _show(message: EmailMessage) -> str:
    """Write a message as a mail program shows it."""
    body = message.get_body(("plain",))
    text = "" if body is None else str(body.get_content()).replace("\r\n", "\n")
    return f"De : {message['from']}\nÀ : {message['to']}\nObjet : {message['subject']}\n\n{text}\n"


def read_mailbox(folder: Path) -> list[EmailMessage]:
    """Return the messages that came, oldest first."""
    return [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.glob("*.eml"))]


class Mailbox:
    """A running mailbox: the address by which workers write to it, and the folder where it keeps what comes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"mailto://{HOST}:{port}?from=qg@emocare.test&to=presidente@emocare.test"

    def read(self) -> list[EmailMessage]:
        """Return the messages that came, oldest first."""
        return read_mailbox(self.folder)


@contextlib.contextmanager
def serve_mailbox(folder: Path, log_dir: Path, *, port: int | None = None) -> Iterator[Mailbox]:
    """Keep a mailbox open until the block ends, at any port unless one is given. Raises: ServiceError."""
    port = port or choose_port()
    with contextlib.closing(Processes(log_dir)) as processes:
        arguments = ["--port", str(port), "--folder", str(folder)]
        environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.environ["PATH"]}
        processes.start_module(_NAME, "devstack.mailbox", arguments, environment)
        processes.wait_until(_NAME, lambda: not is_port_free(port))
        yield Mailbox(folder, port)


async def _serve(port: int, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    mailbox = _Keeper(folder)
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
