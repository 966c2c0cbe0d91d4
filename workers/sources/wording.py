"""How sources say things: foreign text made harmless to print; days and hours as French readers write them."""

import unicodedata
from datetime import datetime
from typing import Final

from shared.registry import TIME_ZONE

MAX_TITLE_CHARS: Final = 200
MAX_TEXT_CHARS: Final = 4_000

_MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)


def clean_line(text: str, max_chars: int = MAX_TITLE_CHARS) -> str:
    """Turn foreign text into one bounded line without control, zero-width or direction characters."""
    # The head is enough: what is dropped is dropped in proportion, and a megabyte of title costs nothing.
    head = text[: max_chars * 4]
    return shorten(" ".join("".join(map(_harmless, head)).split()), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Cut a text that is too long, and show that it was."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"


def say_day(moment: datetime) -> str:
    """Return « 3 novembre 2026 », in Paris."""
    local = moment.astimezone(TIME_ZONE)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def say_hour(moment: datetime) -> str:
    """Return « 14 h 05 (heure de Paris) »."""
    local = moment.astimezone(TIME_ZONE)
    return f"{local.hour} h {local.minute:02d} (heure de Paris)"


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category.startswith("C") else character
