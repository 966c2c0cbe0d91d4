"""A report's titles as a model writes them, and as the registry has them: the same title in any typography."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from workers.executive_run.verification.prose import fold

CLOSING: Final = ("sources", "donnees manquantes", "sources citees", "references", "sources et references")
"""Sections that we write ourselves: what a model writes under these titles is dropped."""

_HASHES: Final = re.compile(r"^\s{0,3}(#{1,6})\s*(.*?)\s*#*\s*$")
_BOLD: Final = re.compile(
    r"^\s{0,3}(?:\d{1,2}\s*[.):/-]\s*)?(?P<mark>\*\*|__)(?P<words>[^*_\n]{2,80})(?P=mark)\s*:?\s*$"
)
_BOLD_LEAD: Final = re.compile(
    r"^\s{0,3}(?:\d{1,2}\s*[.):/-]\s*)?(?P<mark>\*\*|__)(?P<words>[^*_\n]{2,80}?)\s*:?\s*(?P=mark)\s*[:.—\u2013-]?\s+(?P<rest>\S.*)$"
)
_UNDERLINE: Final = re.compile(r"^\s{0,3}(?:={3,}|-{3,})\s*$")
_LIST_NUMBER: Final = re.compile(
    r"^(?:(?:partie|section|titre)\s+)?(?:\d{1,2}(?:\s*/\s*\d{1,2})?|[ivx]{1,4})\s*[.):°/-]+\s*|^\d{1,2}\s+(?=[a-z])"
)
_NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+")
_SUFFIX: Final = re.compile(r"\s*(?:\([^()]*\)|\s[—\u2013:-]\s.*|\s:.*)\s*$")
_ALIKE: Final = 0.87
_LONGEST: Final = 90
_LONGEST_LINE: Final = 200
_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Heading:
    """A line that is a title, or looks like one."""

    line: int
    lines: int
    words: str
    level: int
    title: str | None
    rest: str = ""

    @property
    def closes(self) -> bool:
        """Return whether it opens a section that we write ourselves."""
        return self.title is None and plain(self.words) in CLOSING


@lru_cache(maxsize=_REMEMBERED)
def plain(title: str) -> str:
    """Reduce a title to its words: no number, sign, emphasis, accent or case."""
    words = fold(title).strip(" *_#`\"'«»")
    words = _LIST_NUMBER.sub("", words.lstrip("*_ "))
    return _NOT_A_WORD.sub(" ", words).strip()


def find_headings(lines: Sequence[str], titles: Iterable[str]) -> list[Heading]:
    """Find the titles of a report, and its other headings, in order.

    A title written without any sign of a heading counts only where no line with such a sign is that title.
    """
    known = {plain(title): title for title in titles}
    firm = [found for number, line in enumerate(lines) if (found := _read_heading(lines, number, line, known))]
    named = {heading.title for heading in firm if heading.title}
    loose = [
        found
        for number, line in enumerate(lines)
        if (found := _read_loose(number, line, known)) and found.title not in named
    ]
    return sorted([*firm, *loose], key=lambda heading: heading.line)


def _read_heading(lines: Sequence[str], number: int, line: str, known: dict[str, str]) -> Heading | None:
    if len(line) > _LONGEST_LINE:
        return None
    below = lines[number + 1] if number + 1 < len(lines) else ""
    if marked := _HASHES.match(line):
        words = marked[2]
        return Heading(number, 1, words, len(marked[1]), _match(words, known)) if plain(words) else None
    if len(line) > _LONGEST or not line.strip():
        return None
    if _UNDERLINE.match(below) and not line.lstrip().startswith(("-", "*", "|", ">")):
        title = _match(line, known)
        # A line above three hyphens is a title in Markdown, whatever the model meant: only ours are taken for one.
        if title or "=" in below:
            return Heading(number, 2, line.strip(), 2, title)
    if bold := _BOLD.match(line):
        title = _match(bold["words"], known, exactly=True)
        closes = plain(bold["words"]) in CLOSING
        return Heading(number, 1, bold["words"], 2, title) if title or closes else None
    return None


def _read_loose(number: int, line: str, known: dict[str, str]) -> Heading | None:
    if found := _BOLD_LEAD.match(line[:_LONGEST_LINE]):
        title = known.get(plain(found["words"]))
        return Heading(number, 1, found["words"], 2, title, line[found.start("rest") :]) if title else None
    if len(line) > _LONGEST or line.lstrip().startswith(("- ", "* ", "> ")):
        return None
    title = known.get(plain(line))
    return Heading(number, 1, line, 2, title) if title else None


def _match(words: str, known: dict[str, str], *, exactly: bool = False) -> str | None:
    """Return the title of the registry that the words are; with a scope, a date or a letter too many, still that."""
    bare = plain(words)
    if bare in known:
        return known[bare]
    if exactly or not bare or bare in CLOSING:
        return None
    shortened = plain(_SUFFIX.sub("", fold(words)))
    if shortened in known:
        return known[shortened]
    alike = {title: SequenceMatcher(None, bare, title).ratio() for title in known if _near(len(bare), len(title))}
    best = max(alike, key=lambda title: alike[title], default="")
    return known[best] if best and alike[best] >= _ALIKE else None


def _near(one: int, other: int) -> bool:
    return abs(one - other) <= max(2, other // 8)
