"""The platforms' names in a text. The company is called as one of them; in capitals, the company is meant."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.executive_run.verification.prose import fold
from workers.ports import Platform

COMPANY: Final = "EMOTIONSCARE"


@dataclass(frozen=True, slots=True)
class PlatformMention:
    """A platform named in a text."""

    key: str
    start: int
    end: int


class PlatformNames:
    """Finds platforms by name or key."""

    def __init__(self, platforms: Sequence[Platform]) -> None:
        self._keys = {
            spelling: platform.key
            for platform in platforms
            for spelling in (fold(platform.name), fold(platform.key), fold(platform.key).replace("-", " "))
            if len(spelling) > 2  # noqa: PLR2004 - « ai » would be found in many words
        }
        spellings = "|".join(re.escape(each) for each in sorted(self._keys, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![\w/.-])(?:{spellings})(?![\w-]|\.\w)" if spellings else r"(?!)")
        self._beginning = re.compile(rf"(?<![\w/.-])(?={spellings})" if spellings else r"(?!)")
        self._looked_through = ""
        self._starts: list[int] = []

    def find(self, text: str, start: int, end: int) -> tuple[PlatformMention, ...]:
        """Return the platforms named in a stretch of a text, in order.

        What stands before the stretch counts: a word that a cut splits does not begin there.
        Cost: a text is looked through once, however many stretches of it follow each other.
        """
        folded = fold(text)
        if folded != self._looked_through:
            self._looked_through = folded
            self._starts = [found.start() for found in self._beginning.finditer(folded)]
        first = bisect_left(self._starts, start)
        if first == len(self._starts) or self._starts[first] >= end:
            return ()
        return tuple(
            PlatformMention(self._keys[found[0]], found.start(), found.end())
            for found in self._pattern.finditer(folded, self._starts[first], end)
            if text[found.start() : found.end()] != COMPANY
        )
