"""Untrusted text made safe to read: bounded, stripped of invisible characters, and fenced."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from shared.prompts.system import DATA_TAG

CUT_NOTE: Final = "\n[… coupé : texte trop long]"
"""How a text that was cut off ends."""

TITLE_CHARS: Final = 320
"""The longest title of a fence."""

_MANY_BLANK_LINES: Final = re.compile(r"\n{3,}")
_LINE_ENDS: Final = re.compile("\r\n?|\x85|\u2028|\u2029")
# Characters that are invisible although Unicode counts them as letters or marks: fillers, joiners, variation
# selectors. The selector that turns a symbol into an emoji is visible, and stays where it does that.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
    "|(?<![\u00a9\u00ae\u203c-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff])\ufe0f(?!\u20e3)"
)
# A joiner combines two emoji into one; between other characters it means nothing.
_STRAY_JOINER: Final = re.compile(
    "(?<![\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_JOINER: Final = "\u200d"
# What a terminal obeys instead of showing (C0, C1), and what changes the direction of text; not line ends or tabs.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_THOUGHTS: Final = re.compile(r"\s*<(?:think|thinking|thought)>", re.IGNORECASE)
_ANY_THOUGHTS: Final = re.compile(r"<(?:think|thinking|thought)>", re.IGNORECASE)
_END_OF_THOUGHTS: Final = re.compile(r"</(?:think|thinking|thought)>", re.IGNORECASE)
_END_ON_ITS_LINE: Final = re.compile(r"^</(?:think|thinking|thought)>[ \t]*$", re.IGNORECASE | re.MULTILINE)
# Unicode's own bound for streams. Sorting the marks of a longer run takes time quadratic in its length.
_MARKS_IN_A_ROW: Final = 30


def clean_text(text: str, max_chars: int) -> str:
    """Bound a text and drop what a reader cannot see: control, format (zero width, direction), surrogates."""
    # Bounded before any processing; at twice the limit, because what is dropped makes room for more.
    head = text[: 2 * max_chars]
    visible = _MANY_BLANK_LINES.sub("\n\n", _drop_invisible(head)).strip()
    if len(visible) <= max_chars and len(head) == len(text):
        return visible
    return visible[: max_chars - len(CUT_NOTE)] + CUT_NOTE


def strip_controls(text: str) -> str:
    """Drop what a terminal would obey: escape sequences, carriage returns, overridden direction."""
    return _CONTROLS.sub("", text)


def escape_controls(json_text: str) -> str:
    """Write the same characters of a JSON text as JSON escapes, so that parsing returns the original text."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)


def clean_line(text: str, max_chars: int = 200) -> str:
    """Turn untrusted text into one bounded line of visible characters."""
    # The head is enough, and bounds the work: a title of a megabyte costs nothing.
    return shorten(" ".join(_drop_invisible(text[: max_chars * 4]).replace(_JOINER, "").split()), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Cut a text that is too long, and show that it was."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"


def drop_thoughts(text: str) -> str:
    """Drop the blocks of thoughts that some models put before their answer; unclosed thoughts leave nothing.

    Where the prompt's template has already opened the block, like DeepSeek R1's, the answer contains only its end.
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
    """Return the lines of a list under its title, or one line saying that it is empty."""
    lines = [f"  - {item}" for item in items]
    return [f"{title} :", *lines] if lines else [f"{title} : aucun élément"]


def fence(title: str, text: str, nonce: str) -> str:
    """Put untrusted text, already bounded, between markers that it cannot close: they contain a word it cannot know."""
    tag = f"{DATA_TAG}-{nonce}"
    # The nonce is unguessable; removing it anyway makes "cannot be closed" true by construction.
    # Its replacement shares no character with it, so that what is left on both sides cannot form another.
    inside = f"Source : {clean_line(title, TITLE_CHARS)}\n{text}".replace(nonce, "…")
    return f"<{tag}>\n{inside}\n</{tag}>"


@lru_cache(maxsize=4096)
def _is_plain(char: str) -> bool:
    """Return whether a character is left as it is wherever it stands."""
    return char in "\n\t" or not (
        unicodedata.category(char).startswith("C")
        or unicodedata.combining(char)
        or _INVISIBLE.match(char)
        or _LINE_ENDS.match(char)
    )


def _drop_invisible(text: str) -> str:
    # Most texts hold nothing to be dropped, and eighty different characters.
    if all(map(_is_plain, set(text))):
        return unicodedata.normalize("NFC", text)
    text = _STRAY_JOINER.sub("", _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text)))
    # Each distinct character once: a report of thousands of characters has about eighty.
    characters = set(text)
    unseen = {ord(char) for char in characters - {"\n", "\t", _JOINER} if unicodedata.category(char).startswith("C")}
    if unseen:
        text = text.translate(dict.fromkeys(unseen))
    marks = "".join(char for char in characters if unicodedata.combining(char))
    if marks:
        text = re.sub(f"([{marks}]{{{_MARKS_IN_A_ROW}}})[{marks}]+", r"\1", text)
    return unicodedata.normalize("NFC", text)
