"""Untrusted text made safe to read: bounded, stripped of invisible characters, and fenced."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from shared.prompts.system import DATA_TAG

CUT_NOTE: Final = "\n[… coupé : texte trop long]"
"""What a text that was cut ends with."""

_MANY_BLANK_LINES: Final = re.compile(r"\n{3,}")
_LINE_ENDS: Final = re.compile("\r\n?|\x85|\u2028|\u2029")
# What one cannot see although Unicode counts it among letters and marks: fillers, joiners, variation selectors. The
# selector that makes a coloured sign of a symbol is seen, and stays where it does.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
    "|(?<![\u00a9\u00ae\u203c-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff])\ufe0f(?!\u20e3)"
)
# Two signs are joined to one by a character that is nothing between others.
_STRAY_JOINER: Final = re.compile(
    "(?<![\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_JOINER: Final = "\u200d"
# What a terminal obeys instead of showing it (C0, C1), and what turns a line's direction; not the line end, nor tab.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_THOUGHTS: Final = re.compile(r"\s*<(?:think|thinking|thought)>", re.IGNORECASE)
_ANY_THOUGHTS: Final = re.compile(r"<(?:think|thinking|thought)>", re.IGNORECASE)
_END_OF_THOUGHTS: Final = re.compile(r"</(?:think|thinking|thought)>", re.IGNORECASE)
_END_ON_ITS_LINE: Final = re.compile(r"^</(?:think|thinking|thought)>[ \t]*$", re.IGNORECASE | re.MULTILINE)
# Unicode's own bound for streams. Whoever orders the marks of a longer run needs the square of its length.
_MARKS_IN_A_ROW: Final = 30


def clean_text(text: str, max_chars: int) -> str:
    """Bound a text and drop what a reader cannot see: control, format (zero width, direction), surrogates."""
    # Bounded before anything is done with it; twice over, because what is dropped makes room for more.
    head = text[: 2 * max_chars]
    visible = _MANY_BLANK_LINES.sub("\n\n", _drop_invisible(head)).strip()
    if len(visible) <= max_chars and len(head) == len(text):
        return visible
    return visible[: max_chars - len(CUT_NOTE)] + CUT_NOTE


def strip_controls(text: str) -> str:
    """Drop what a terminal would obey: escape sequences, carriage returns, overridden direction."""
    return _CONTROLS.sub("", text)


def escape_controls(json_text: str) -> str:
    """Write the same characters of a JSON text as JSON escapes: whoever parses it reads what was there."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def clean_line(text: str, max_chars: int = 200) -> str:
    """Turn foreign text into one bounded line of what a reader can see."""
    # The head is enough: what is dropped is dropped in proportion, and a megabyte of title costs nothing.
    return shorten(" ".join(_drop_invisible(text[: max_chars * 4]).replace(_JOINER, "").split()), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Cut a text that is too long, and show that it was."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"


def drop_thoughts(text: str) -> str:
    """Drop the blocks of thoughts that some models put before their answer; thoughts without an end leave nothing.

    Where the prompt's template has opened the block, as that of DeepSeek R1 does, the answer shows its end only.
    """
    unopened = _END_ON_ITS_LINE.search(text)
    begin = unopened.end() if unopened and not _ANY_THOUGHTS.search(text, 0, unopened.start()) else 0
    while opened := _THOUGHTS.match(text, begin):
        closed = _END_OF_THOUGHTS.search(text, opened.end())
        if closed is None:
            return ""
        begin = closed.end()
    return text[begin:]


def format_list(title: str, items: Iterable[str]) -> list[str]:
    """Return the lines of a list under its title, or one that says there is nothing in it."""
    lines = [f"  - {item}" for item in items]
    return [f"{title} :", *lines] if lines else [f"{title} : aucun élément"]


def fence(title: str, text: str, nonce: str) -> str:
    """Put foreign text, already bounded, between markers that it cannot close: they hold a word it cannot know."""
    tag = f"{DATA_TAG}-{nonce}"
    # The nonce is unguessable; removing it all the same makes "cannot be closed" true by construction.
    # What takes its place is not in it, so that the ends of a removal cannot join to make another.
    inside = f"Source : {clean_line(title, 200)}\n{text}".replace(nonce, "…")
    return f"<{tag}>\n{inside}\n</{tag}>"


def _drop_invisible(text: str) -> str:
    text = _STRAY_JOINER.sub("", _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text)))
    # Each character once: a report of thousands of them has some eighty.
    characters = set(text)
    unseen = {ord(char) for char in characters - {"\n", "\t", _JOINER} if unicodedata.category(char).startswith("C")}
    if unseen:
        text = text.translate(dict.fromkeys(unseen))
    marks = "".join(char for char in characters if unicodedata.combining(char))
    if marks:
        text = re.sub(f"([{marks}]{{{_MARKS_IN_A_ROW}}})[{marks}]+", r"\1", text)
    return unicodedata.normalize("NFC", text)
