"""A pattern of many phrases, of which a text is searched for those alone whose words it holds.

A pattern of thirty alternatives is tried at every letter of a report, a word is found by the processor's own search:
a report hardly ever holds any of these words, and costs a hundredth then.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """Patterns, each with a word that all of its matches hold."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def compile(cls, patterns: Iterable[tuple[str, str]]) -> "Phrases":
        """Compile patterns for folded text, given as (word, pattern)."""
        return cls(tuple((word, re.compile(pattern)) for word, pattern in patterns))

    def within(self, folded: str) -> "Phrases":
        """Return those of the patterns that can match anywhere in a text."""
        return Phrases(tuple(each for each in self.patterns if each[0] in folded))

    def search(self, folded: str, start: int = 0, end: int = sys.maxsize) -> re.Match[str] | None:
        """Find the first match in a stretch of a text; of those that begin together, that of the first pattern."""
        found = [match for _, pattern in self.patterns if (match := pattern.search(folded, start, end))]
        return min(found, key=lambda match: match.start(), default=None)
