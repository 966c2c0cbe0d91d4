"""Text as the rules read it: without case and accents, cut into sentences, every offset that of the report itself."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

_SPECIAL: Final = {
    "\u00a0": " ",
    "\u202f": " ",
    "\u2007": " ",
    "\u2009": " ",
    "\u2019": "'",
    "\u02bc": "'",
    "\u2018": "'",
    "\u2212": "-",
    "\u2010": "-",
    "\u2011": "-",
}
# Where a sentence ends. A point between digits, after an initial or in an abbreviation ends nothing. The characters
# come first, so that the search passes over all others at once, and what stands before them is looked at afterwards.
_LONGEST_SENTENCE: Final = 600
_END: Final = re.compile(
    r"[.!?…\s](?:(?<=[.!?…])(?=\s)(?<!\b[A-Z].)(?<!\bMme.)(?<!\bDr.)(?<!\bart.)(?<!\bex.)(?<!\betc.)|(?<=\s);\s|(?<=\n))"
)


_REMEMBERED: Final = 64
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")


@lru_cache(maxsize=_REMEMBERED)
def fold(text: str) -> str:
    """Return the text in lower case without accents, typographic signs made plain. Shape: exactly as long.

    Cost: next to none for a text that was folded a moment ago: every check folds the whole report.
    """
    # Few characters of a French text are beyond ASCII: folding those alone takes half the time of looking up every one.
    return _BEYOND_ASCII.sub(_fold_found, text).replace("\t", " ").lower()


def _fold_found(found: re.Match[str]) -> str:
    return _fold_char(found[0])


@cache
def _fold_char(char: str) -> str:
    return _SPECIAL.get(char) or unicodedata.normalize("NFD", char)[0].lower()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text."""

    start: int
    end: int

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.start <= offset < self.end


def split_lines(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut a stretch into its lines that hold something."""
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        if text[start:stop].strip():
            yield Span(start, stop)
        start = stop + 1


def split_sentences(text: str, line: Span) -> Iterator[Span]:
    """Cut a line into its sentences; a semicolon ends one too, because lists are written with it."""
    start = line.start
    for found in _END.finditer(text, line.start, line.end):
        yield from _bound(text, start, found.end())
        start = found.end()
    yield from _bound(text, start, line.end)


def _bound(text: str, start: int, end: int) -> Iterator[Span]:
    """Cut what is too long for a sentence: what is compared within one would take time quadratic in its length."""
    while end - start > _LONGEST_SENTENCE:
        space = text.rfind(" ", start + _LONGEST_SENTENCE // 2, start + _LONGEST_SENTENCE)
        stop = space + 1 if space > 0 else start + _LONGEST_SENTENCE
        yield Span(start, stop)
        start = stop
    if text[start:end].strip():
        yield Span(start, end)


def count_words(text: str) -> int:
    """Count the words as a reader would: groups of characters with a letter or digit in them."""
    return sum(word.isalnum() or any(map(str.isalnum, word)) for word in text.split())
