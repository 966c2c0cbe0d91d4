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

_NOBODY: Final = "Personne n'est prévenu hors des écrans : écrivez des adresses dans NOTIFY_URLS, puis recommencez."
_UNREADABLE: Final = "illisible : elle n'a pas la forme que la bibliothèque Apprise demande"
# By what a failure begins with, the most exact first.
_FAILURES: Final = {
    "timed_out": f"n'a pas répondu en {TRY // timedelta(seconds=1)} s",
    "http_401": "refuse l'accès : mot de passe ou jeton à corriger",
    "http_402": "refuse l'accès : compte à régler chez ce service",
    "http_403": "refuse l'accès : mot de passe, jeton ou droits à corriger",
    "http_404": "ne connaît pas cette adresse : à corriger",
    "http_410": "a supprimé cette adresse : à remplacer",
    "http_413": "trouve le message trop long",
    "http_429": "demande d'attendre ; un vrai message serait renvoyé plus tard",
    "http_3": "renvoie vers une autre adresse, qui n'est pas suivie : à corriger",
    "http_4": "refuse le message",
    "http_5": "est en panne ; un vrai message serait renvoyé plus tard",
    "": "n'a pas accepté le message : mot de passe, destinataire, ou panne chez lui",
}


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
        table.add_row(Text(*MARKS["red"]), f"adresse {position}", _UNREADABLE)
    console.print(table)
    if unreadable or not all(_works(result) for _, result in results):
        raise typer.Exit(1)


def _works(result: SendResult | None) -> bool:
    return result is None or result.outcome is SendOutcome.ACCEPTED


def _describe(result: SendResult | None) -> str:
    if result is None:
        return "adresse lisible ; --test y envoie un message"
    if result.outcome is SendOutcome.ACCEPTED:
        return "a accepté le message"
    failure = result.failure or ""
    sentence = next(sentence for start, sentence in _FAILURES.items() if failure.startswith(start))
    return f"{sentence} ({failure})" if failure.startswith("http_") else sentence


def vapid() -> None:
    """Print a new key pair for Web Push, as variables: the private key is a secret, browsers get the public one."""
    private, public = make_vapid_key()
    print_line(f"VAPID_PRIVATE_KEY={private}")
    print_line("VAPID_SUBJECT=mailto:")
    print_line(f"# public key: {public}")
