"""The form of a report: repaired first, so that only what no typography explains is a fault.

A model that numbers its titles, fences its report or introduces it politely has written the report that was asked for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.registry import RunType
from shared.run_types.model import Section
from workers.executive_run.verification.language import find_foreign
from workers.executive_run.verification.leaks import find_leaks
from workers.executive_run.verification.model import QUOTE_CHARS, Fault, FaultKind
from workers.executive_run.verification.prose import count_words, fold
from workers.executive_run.verification.tables import unroll_tables
from workers.executive_run.verification.titles import Heading, find_headings

MOST_WORDS: Final = 1_200
"""What a report may have; the model is asked for 900."""

_FEWEST_WORDS: Final = 30
_FENCE: Final = re.compile(r"^\s{0,3}(?:```+|~~~+)\s*+[\w-]*+\s*+$")
_RULE: Final = re.compile(r"^\s{0,3}(?:-\s?){3,}$|^\s{0,3}(?:\*\s?){3,}$|^\s{0,3}(?:_\s?){3,}$")
_LINE_ENDS: Final = re.compile("\r\n?|\u2028|\u2029|\x85|\v|\f")
_SPACES: Final = re.compile(r"[^\S\n]{13,}")
_MOST_SPACES: Final = 12
"""Deeper than any list; no pattern can be made to try a longer run again and again."""
_LAST_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Part:
    """One section as it stands in the repaired text; the offsets are those of its body."""

    section: Section
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A report, its form repaired, and where its sections are, in the order in which they stand."""

    text: str
    parts: tuple[Part, ...]
    preamble: str = ""


def repair(text: str, run_type: RunType) -> Shape:
    """Bring titles to the registry's wording and level, tables to lists; drop fences, preambles, our own sections."""
    plain = _LINE_ENDS.sub("\n", text.replace("\ufeff", ""))
    plain = _SPACES.sub(lambda run: run[0][:_MOST_SPACES], plain)
    lines = _unfence(unroll_tables(plain).split("\n"))
    sections = {section.title: section for section in run_type.sections}
    headings = find_headings(lines, sections)
    first = next((heading.line for heading in headings if heading.title), None)
    if first is None:
        return Shape("\n".join(lines).strip(), ())
    written = ""
    parts: list[Part] = []
    for title, body in _cut(lines, headings):
        written += f"## {title}\n\n"
        parts.append(Part(sections[title], len(written), len(written) + len(body)))
        written += f"{body}\n\n" if body else ""
    return Shape(written.strip(), tuple(parts), "\n".join(lines[:first]).strip())


def find_form_faults(shape: Shape, run_type: RunType) -> list[Fault]:
    """Find what is wrong with a repaired report's form."""
    if fault := _is_no_report(shape):
        return [fault]
    return [
        *_check_sections(shape, run_type),
        *_check_languages(shape),
        *find_leaks(shape.text, run_type),
        *_check_length(shape),
        *_check_end(shape),
    ]


def _unfence(lines: list[str]) -> list[str]:
    """Drop the fences of code blocks: a report has none, and one around all of it would show as code."""
    return [line.rstrip() for line in lines if not _FENCE.match(line)]


def _cut(lines: list[str], headings: list[Heading]) -> Iterator[tuple[str, str]]:
    """Yield each section's title and its body, other headings made subordinate; what we write ourselves is dropped."""
    ours: str | None = None
    body: list[str] = []
    at = {heading.line: heading for heading in headings}
    number = 0
    while number < len(lines):
        heading = at.get(number)
        if heading is None:
            body.append(lines[number])
            number += 1
            continue
        if heading.title or heading.closes:
            if ours is not None:
                yield ours, _tidy(body)
            ours = heading.title
            body = [heading.rest] if heading.rest else []
        else:
            body.append(f"{'#' * max(3, heading.level)} {heading.words}")
        number += heading.lines
    if ours is not None:
        yield ours, _tidy(body)


def _tidy(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line for line in lines if not _RULE.match(line))).strip()


def _is_no_report(shape: Shape) -> Fault | None:
    language = find_foreign(shape.text)
    if language:
        return _whole(
            FaultKind.WRONG_LANGUAGE, shape.text, f"Le rapport est écrit en {language} : écrivez-le tout en français."
        )
    if not shape.parts:
        sentence = "La réponse n'est pas un rapport : aucune partie du plan ne s'y trouve. Rédigez le rapport entier."
        return _whole(FaultKind.NOT_A_REPORT, shape.text, sentence)
    if count_words(shape.text) < _FEWEST_WORDS:
        sentence = "La réponse est trop courte pour un rapport : rédigez chaque partie du plan."
        return _whole(FaultKind.NOT_A_REPORT, shape.text, sentence)
    return None


def _check_sections(shape: Shape, run_type: RunType) -> Iterator[Fault]:
    wanted = [section.title for section in run_type.sections]
    found = [part.section.title for part in shape.parts]
    filled = {part.section.title for part in shape.parts if shape.text[part.start : part.end].strip()}
    for title in wanted:
        if title not in found:
            yield _of(FaultKind.MISSING_SECTION, title, f"La partie « {title} » manque : écrivez-la, à sa place.")
        elif title not in filled:
            sentence = f"La partie « {title} » est vide : écrivez-la, ou « Donnée non disponible »."
            yield _of(FaultKind.MISSING_SECTION, title, sentence)
        if found.count(title) > 1:
            sentence = f"La partie « {title} » figure {found.count(title)} fois : réunissez-la en une seule."
            yield _of(FaultKind.DOUBLED_SECTION, title, sentence)
    order = list(dict.fromkeys(found))
    lawful = [title for title in wanted if title in order]
    if order != lawful:
        moved = next(title for title, due in zip(order, lawful, strict=True) if title != due)
        sentence = f"La partie « {moved} » n'est pas à sa place. L'ordre demandé : {', '.join(wanted)}."
        yield _of(FaultKind.WRONG_ORDER, moved, sentence)


def _check_languages(shape: Shape) -> Iterator[Fault]:
    for part in shape.parts:
        body = shape.text[part.start : part.end]
        language = find_foreign(body)
        if language:
            sentence = f"La partie « {part.section.title} » est écrite en {language} : écrivez-la en français."
            yield Fault(
                kind=FaultKind.WRONG_LANGUAGE,
                section=part.section.title,
                quote=body[:QUOTE_CHARS],
                sentence=sentence,
                start=part.start,
                end=part.end,
            )


def _check_length(shape: Shape) -> Iterator[Fault]:
    words = count_words(shape.text)
    if words > MOST_WORDS:
        sentence = f"Le rapport a {words} mots : ramenez-le à 900, sans perdre de partie."
        yield _whole(FaultKind.TOO_LONG, shape.text, sentence)


_CLOSED: Final = tuple(".!?…:;»)]*_`%€\"'”")
_STOPS: Final = tuple(".!?…")
# With these a French sentence goes on.
_OPEN_WORD: Final = re.compile(
    r"(?:^|[\s'(])(?:l|d|qu|n|s|c|j|le|la|les|un|une|des|du|de|et|ou|mais|car|a|au|aux|en|dans|par|pour|sur|sous|"
    r"avec|sans|"
    r"chez|vers|entre|depuis|dont|que|qui|ou|ce|cet|cette|ces|son|sa|ses|leur|leurs|nos|notre|vos|votre|est|sont|soit|"
    r"plus|moins|ne|afin|selon|lorsque|si|comme)'?$"
)
_CITED_END: Final = re.compile(r"(?:\s*\[S\d+(?:\s*[,;]\s*S?\d+)*\])+\s*$")
_ITEM: Final = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")


def _check_end(shape: Shape) -> Iterator[Fault]:
    last = shape.parts[-1]
    body = shape.text[last.start : last.end].rstrip()
    lines = [line.rstrip() for line in body.split("\n") if line.strip()]
    if lines and _is_cut(lines):
        sentence = f"Le texte s'arrête au milieu d'une phrase (« …{lines[-1][-60:]} ») : terminez-le."
        yield Fault(
            kind=FaultKind.CUT_SHORT,
            section=last.section.title,
            quote=lines[-1][-QUOTE_CHARS:],
            sentence=sentence,
        )


def _is_cut(lines: list[str]) -> bool:
    """Judge the last line: prose ends with a full stop; an item ends as its neighbours do."""
    end = lines[-1]
    words = end[:-_LAST_CHARS] + _CITED_END.sub("", end[-_LAST_CHARS:]).rstrip() or end
    if words.count("**") % 2 or words.count("«") > words.count("»") or words.count("(") > words.count(")"):
        return True
    if words.endswith((",", "-", "(", "«", "'", "\u2019", "[")) or _OPEN_WORD.search(fold(words)):
        return True
    if words.endswith(_CLOSED):
        return words.endswith(":")
    if not _ITEM.match(end):
        return len(lines) > 1 or count_words(words) > 4  # noqa: PLR2004 - « Aucune alerte » needs no full stop
    others = [line for line in lines[:-1] if _ITEM.match(line)]
    return bool(others) and all(line.rstrip("*_ ").endswith((*_STOPS, ";")) for line in others)


def _of(kind: FaultKind, title: str, sentence: str) -> Fault:
    return Fault(kind=kind, section=title, quote="", sentence=sentence)


def _whole(kind: FaultKind, text: str, sentence: str) -> Fault:
    return Fault(kind=kind, section=None, quote=text[:QUOTE_CHARS], sentence=sentence)
