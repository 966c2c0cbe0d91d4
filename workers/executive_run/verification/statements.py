"""A report as statements: each sentence with what says what it is about: section, header, platform, sources."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.form import Part, Shape
from workers.executive_run.verification.lexicon import Mention, find_mentions
from workers.executive_run.verification.model import QUOTE_CHARS, Fault, FaultKind
from workers.executive_run.verification.numbers import read_figures
from workers.executive_run.verification.platforms import PlatformMention, PlatformNames
from workers.executive_run.verification.prose import Span, fold, split_lines, split_sentences

_LEAD_CHARS: Final = 160
_MARK_CHARS: Final = 120
"""So far into its line, what marks an aim marks all that the line says."""

_INDENT: Final = re.compile(r"\s*(?:[-*+•]\s+|\d{1,2}[.)]\s+)?")
_ALL: Final = re.compile(
    r"\bau total\b|toutes (?:les )?plateformes|ensemble des|l'entreprise|\bglobale?(?:ment)?\b|"
    r"toutes plateformes"
)
_PROPOSED: Final = re.compile(
    r"objectif|propos|hypothe|scenario|estim|echeance|d'ici|attendue?s?\b|"
    r"\b(?:tailles?\b|paliers?\b|cibles?\b|vise[rzs]?\b|visant\b|efforts?\b|seuil|budget|repere|avant le\b|delai|"
    r"prevoir\b|plafond|sous (?:\d|deux|trois|cinq|dix)|ramener|atteindre|obtenir|limiter|si\b|potentiel|"
    r"a partir d)"
)
_MOST_DIGITS: Final = 4
"""No source has a longer number, and Python refuses to read one of thousands of digits."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a report and what it stands under."""

    part: Part
    span: Span
    words: str
    """Folded."""
    line: Span
    header: str
    """Folded: the headings and list leads above it, and its section's title."""
    platforms: tuple[PlatformMention, ...]
    inherited: str | None
    """The platform of its item or header, where the sentence itself names none."""
    nearby: frozenset[str]
    """The platforms that its line named last before it, or else those of its item or header."""
    citations: frozenset[int]
    cited: frozenset[int]
    """Its citations, or else those of its line before it."""
    figures: tuple[Figure, ...]
    mentions: tuple[Mention, ...]
    """The names of facts in it."""
    asks_for_aims: bool
    """Its section may propose, and its outline asks for aims, deadlines or efforts."""
    is_proposed: bool
    """It is marked as an aim, an assumption or an estimate, in a section that may propose."""
    has_repere: bool

    def fault(
        self, kind: FaultKind, start: int, end: int, *, quote: str, sentence: str, ours: str | None = None
    ) -> Fault:
        """Make a fault of what stands from ``start`` to ``end`` of the report, in the section of this statement."""
        return Fault(
            kind=kind,
            section=self.part.section.title,
            quote=quote[:QUOTE_CHARS],
            sentence=sentence,
            start=start,
            end=end,
            ours=ours,
        )


def read_statements(shape: Shape, names: PlatformNames) -> list[Statement]:
    """Cut a repaired report into statements."""
    folded = fold(shape.text)
    figures = read_figures(shape.text)
    reader = _Reader(shape.text, folded, figures, [figure.start for figure in figures], names)
    return [statement for part in shape.parts for statement in reader.read(part)]


@lru_cache(maxsize=64)
def _is_aim(header: str) -> bool:
    """Return whether a header marks what stands below it as an aim. Cost: next to none for a list's next item."""
    return _PROPOSED.search(header) is not None


def _has_repere(words: str) -> bool:
    return "repere" in words and bool(re.search(r"\brepere", words))


@dataclass(frozen=True, slots=True)
class _Lead:
    """A heading or item that what is below it belongs to."""

    depth: int
    words: str
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    text: str
    folded: str
    figures: Sequence[Figure]
    starts: Sequence[int]
    names: PlatformNames

    def read(self, part: Part) -> Iterator[Statement]:
        title = fold(part.section.title)
        asks_for_aims = part.section.proposes and bool(_PROPOSED.search(fold(part.section.content)))
        leads: list[_Lead] = []
        for line in split_lines(self.text, part.start, part.end):
            depth = self._depth(line)
            leads = [lead for lead in leads if lead.depth < depth]
            header = " / ".join([title, *(lead.words for lead in leads)])
            above = next((lead.platforms for lead in reversed(leads) if lead.platforms), ())
            yield from self._read_line(part, line, header, above, asks_for_aims=asks_for_aims)
            mentions = self.names.find(self.text, line.start, line.end)
            words = self.folded[line.start : min(line.end, line.start + _LEAD_CHARS)]
            leads.append(_Lead(depth, words, tuple(mention.key for mention in mentions)))

    def _depth(self, line: Span) -> int:
        """Return how deep a line stands: headings above all, then paragraphs, then items by their indentation."""
        words = self.text[line.start : line.end]
        if words.lstrip().startswith("#"):
            return -10 + len(words) - len(words.lstrip("# "))
        lead = _INDENT.match(words)
        indent = len(words) - len(words.lstrip())
        is_item = lead is not None and bool(lead[0].strip())
        return indent + 1 if is_item else 0

    def _read_line(
        self, part: Part, line: Span, header: str, above: tuple[str, ...], *, asks_for_aims: bool
    ) -> Iterator[Statement]:
        inherited = above[0] if above else None
        nearby = frozenset(above)
        cited = frozenset[int]()
        may_propose = part.section.proposes
        marking = self.folded[line.start : min(line.end, line.start + _MARK_CHARS)]
        is_marked = may_propose and (_is_aim(header) or bool(_PROPOSED.search(marking)))
        has_repere = _has_repere(header) or _has_repere(marking)
        for span in split_sentences(self.text, line):
            figures = self._within(span)
            mentions = self.names.find(self.text, span.start, span.end)
            words = self.folded[span.start : span.end]
            citations = frozenset(self._citations(span))
            cited = citations or cited
            yield Statement(
                part=part,
                span=span,
                words=words,
                line=line,
                header=header,
                platforms=mentions,
                inherited=None if inherited is None or _ALL.search(words) else inherited,
                nearby=nearby,
                citations=citations,
                cited=cited,
                figures=figures,
                mentions=find_mentions(self.folded, span.start, span.end),
                asks_for_aims=asks_for_aims,
                is_proposed=is_marked or (may_propose and bool(_PROPOSED.search(words))),
                has_repere=has_repere or _has_repere(words),
            )
            # What a line has named, its next sentence is still about.
            inherited = mentions[-1].key if mentions else inherited
            nearby = frozenset(mention.key for mention in mentions) or nearby

    def _within(self, span: Span) -> tuple[Figure, ...]:
        first, last = bisect_left(self.starts, span.start), bisect_left(self.starts, span.end)
        return tuple(self.figures[first:last])

    def _citations(self, span: Span) -> Iterator[int]:
        for figure in self._within(span):
            if figure.kind is Kind.CITATION:
                yield from (int(number) for number in figure.unit.split() if len(number) <= _MOST_DIGITS)
