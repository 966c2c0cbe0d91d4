"""Commands for messages beyond the screens: notify, vapid."""

from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from workers.cli.context import EnvFile, run_async, settings_from
from workers.cli.terminal import MARKS, console, print_line, print_marked
from workers.notifications.channels import TRY, open_channels, try_channels
from workers.notifications.webpush import make_vapid_key
from workers.ports import ChannelName, SendOutcome, SendResult

_NOBODY: Final = "Personne n'est prévenu hors des écrans: set NOTIFY_URLS, and read it again with this command."


def notify(
    test: Annotated[bool, typer.Option("--test", help="Send one message by each channel.")] = False,
    env_file: EnvFile = None,
) -> None:
    """List the channels of NOTIFY_URLS, never their secrets (exit 1 if one does not work, or there is none)."""
    settings = settings_from(env_file).notifications
    page = None if settings.page is None else str(settings.page)
    channels, unreadable = open_channels(settings.urls, page=page)
    if not settings.urls:
        print_marked("amber", _NOBODY)
        raise typer.Exit(1)
    table = Table(box=None, show_header=False, padding=(0, 1))
    results: list[tuple[ChannelName, SendResult | None]] = [(channel.name, None) for channel in channels]
    if test:
        results = [*run_async(try_channels(channels))]
    for name, result in results:
        table.add_row(Text(*MARKS["green" if _works(result) else "red"]), name.label, _describe(result))
    for position in unreadable:
        table.add_row(Text(*MARKS["red"]), f"address {position}", "cannot be read: not in the form of Apprise")
    console.print(table)
    if unreadable or not all(_works(result) for _, result in results):
        raise typer.Exit(1)


def _works(result: SendResult | None) -> bool:
    return result is None or result.outcome is SendOutcome.ACCEPTED


def _describe(result: SendResult | None) -> str:
    if result is None:
        return "can be read; --test sends a message by it"
    if result.outcome is SendOutcome.ACCEPTED:
        return "accepted the message"
    within = TRY // timedelta(seconds=1)
    return f"did not answer within {within} s" if result.failure == "timed_out" else "did not accept the message"


def vapid() -> None:
    """Print a new key pair for Web Push, as variables: the private key is a secret, browsers get the public one."""
    private, public = make_vapid_key()
    print_line(f"VAPID_PRIVATE_KEY={private}")
    print_line("VAPID_SUBJECT=mailto:")
    print_line(f"# public key: {public}")
