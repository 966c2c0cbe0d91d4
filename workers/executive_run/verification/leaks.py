"""What belongs to the model's own thinking or to our prompt, and stands in the report."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from shared.registry import DATA_TAG, RunType, render_system_prompt
from workers.executive_run.verification.model import QUOTE_CHARS, Fault, FaultKind
from workers.executive_run.verification.phrases import Phrases
from workers.executive_run.verification.prose import fold

_WRITING: Final = r"(?:maintenant |d'abord )?(?:rediger|ecrire|structurer|verifier|commencer|suivre|respecter)\b"
_TAGS: Final = ("think>", "thinking>", "thought>", "reasoning>", "scratchpad>")
_ENGLISH: Final = (
    *((words, rf"\b{words}\b") for words in ("i need to", "i should", "i will now", "okay, so", "as an ai")),
    ("let me ", r"\blet me (?:think|start|check|analy|write|see)\b"),
    ("i'll ", r"\bi'll (?:now|write|start)\b"),
    ("the user ", r"\bthe user (?:wants|asks|is asking)\b"),
)
_PHRASES: Final = Phrases.compile(
    (
        *((tag, f"</?{tag}") for tag in _TAGS),
        (DATA_TAG, f"</?{DATA_TAG}"),
        *_ENGLISH,
        ("en tant qu", r"\ben tant qu(?:e modele de lang|'(?:ia|assistant|intelligence artificielle))"),
        ("l'utilisateur ", r"\bl'utilisateur (?:me )?(?:demande|veut|souhaite)\b"),
        *((words, rf"\b{words}{_WRITING}") for words in ("je dois ", "je vais ")),
        *((words, rf"\b(?:mes|les) {words} (?:me |qui m)") for words in ("instructions", "consignes")),
        *((words, rf"\b{words}\b") for words in (
            "system prompt", "prompt systeme", "invite systeme", "message systeme",
        )),
        ("voyons ", r"\bvoyons (?:voir|les donnees|ce que)\b"),
    )
)  # fmt: skip
_WORD: Final = re.compile(r"[a-z0-9]+")
_RUN: Final = 9
"""So many words of the prompt in a row are no coincidence."""
_MOST_OUTLINED: Final = 1
"""A report may take up what the outline asks of one section, to say what of it is not available."""


def find_leaks(text: str, run_type: RunType) -> Iterator[Fault]:
    """Find thoughts, tags and whole phrases of the prompt."""
    folded = fold(text)
    found = _PHRASES.within(folded).search(folded)
    span = (found.start(), found.end()) if found else _find_prompt(folded, run_type)
    if span is not None:
        quote = text[max(0, span[0] - 20) : span[1] + 60][:QUOTE_CHARS]
        sentence = (
            f"Le texte contient des réflexions ou des consignes (« {quote.strip()[:80]} ») : "
            "n'écrivez que le rapport lui-même."
        )
        yield Fault(kind=FaultKind.LEAKED, section=None, quote=quote, sentence=sentence, start=span[0], end=span[1])


def _find_prompt(folded: str, run_type: RunType) -> tuple[int, int] | None:
    words = _WORD.findall(folded)
    known, outline = _prompt_runs(run_type)
    outlined: set[int] = set()
    for place, run in enumerate(_runs(words)):
        section = outline.get(run)
        if section is not None:
            outlined.add(section)
        if run in known or len(outlined) > _MOST_OUTLINED:
            found = list(_WORD.finditer(folded))[place : place + _RUN]
            return found[0].start(), found[-1].end()
    return None


_Run = tuple[str, ...]


@cache
def _prompt_runs(run_type: RunType) -> tuple[frozenset[_Run], dict[_Run, int]]:
    """Return the runs of words of the prompt, and those that are the outline's with the section that they ask for."""
    words = _WORD.findall(fold(render_system_prompt(run_type)))
    sections = [_WORD.findall(fold(f"{each.title} {each.content}")) for each in run_type.sections]
    outline = {run: number for number, section in enumerate(sections) for run in _runs(section)}
    return frozenset(_runs(words)) - outline.keys(), outline


def _runs(words: list[str]) -> Iterator[_Run]:
    """Yield each run of so many words: tuples of the same list, begun one word later each time."""
    return zip(*(words[first:] for first in range(_RUN)), strict=False)
