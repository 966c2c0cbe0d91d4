"""Numbers written in words, from zero to a few thousand. « Un » is an article far more often than a number."""

import re
from decimal import Decimal
from typing import Final

_SMALL: Final = {
    "zero": 0,
    "deux": 2,
    "trois": 3,
    "quatre": 4,
    "cinq": 5,
    "six": 6,
    "sept": 7,
    "huit": 8,
    "neuf": 9,
    "dix": 10,
    "onze": 11,
    "douze": 12,
    "treize": 13,
    "quatorze": 14,
    "quinze": 15,
    "seize": 16,
    "vingt": 20,
    "vingts": 20,
    "trente": 30,
    "quarante": 40,
    "cinquante": 50,
    "soixante": 60,
    "cent": 100,
    "cents": 100,
    "mille": 1000,
}
_ANY: Final = "|".join(sorted(_SMALL, key=len, reverse=True))
WORDS: Final = (
    rf"(?:{_ANY})\b(?:-(?:et-)?(?:{_ANY}|une?)\b|\s(?:cents?|mille)\b|\set\s(?:une?|onze)\b|(?:(?<=cent)|(?<=cents)|"
    rf"(?<=mille))\s(?:{_ANY})\b)*"
)
"""What a number in words looks like in folded text."""


def read_words(words: str) -> Decimal | None:
    """Return the number that the words are; None where they are none (« deux cent » but not « cent deux mille »)."""
    total = current = 0
    for word in re.split(r"[ -]+", words):
        if word == "et":
            continue
        value = 1 if word in {"un", "une"} else _SMALL.get(word)
        if value is None:
            return None
        if value == 20 and current % 100 == 4:  # noqa: PLR2004 - quatre-vingts
            current += 76
        elif value == 100:  # noqa: PLR2004
            current = max(current, 1) * 100
        elif value == 1000:  # noqa: PLR2004
            total, current = total + max(current, 1) * 1000, 0
        else:
            current += value
    return Decimal(total + current)
