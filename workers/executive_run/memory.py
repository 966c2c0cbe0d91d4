"""What the report before left to be followed up, as the next report of the same type and scope is shown it. Pure.

Only the items of the sections that the registry marks with ``keeps``, one step back. An item that the report before
had itself been shown is a repetition: it stays only while today's own data carry it. Otherwise whatever once got into
a report, an instruction planted in a web page included, would be repeated from report to report for ever.
The same holds of all its items where a later report, which is not remembered itself, was shown them.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import filterfalse
from typing import Final

from pydantic import AwareDatetime, Field, JsonValue

from shared.findings import Collected
from shared.french import format_moment
from shared.frozen import FrozenModel
from shared.registry import RunType, SourceName
from shared.run_types.model import Kept
from shared.runs import EvidenceRecord
from shared.sanitise import REMOVED, sanitise
from shared.untrusted_text import clean_line
from workers.executive_run.verification.model import Fault, FaultKind
from workers.ports import PastReport

OLDEST: Final = timedelta(days=45)
"""A report that is older is not remembered."""

KEPT_EVIDENCE: Final = "kept"
"""The type of the row of evidence from which SQL fills the digest's lists."""

MOST_ITEMS: Final = 10
ITEM_CHARS: Final = 200

_TITLES: Final = {Kept.DECISIONS: "Décisions", Kept.PRIORITIES: "Priorités", Kept.ALERTS: "Alertes"}
_FIGURE: Final = (
    r"[+\-\u2212~≈]?\d[\d\s\u00a0\u202f.,:/h]*"
    r"(?:\s?(?:%|‰|€|\$|[kMG]?€|[A-Z]{3}\b|points?\b|[a-zéèû]{1,12}\b))?"
)
# The mark of a figure that was not verified, or contradicted: the figure goes with it.
_MARK: Final = r"\((?:non vérifiée?s?|nos données\s?:[^()]*)\)"
_MARKED_FIGURE: Final = re.compile(rf"{_FIGURE}[\s*_]*{_MARK}", re.IGNORECASE)
_ANY_MARK: Final = re.compile(_MARK, re.IGNORECASE)
_LOST: Final = "(chiffre retiré)"
_DOUBTED: Final = frozenset({FaultKind.UNVERIFIED, FaultKind.CONTRADICTED, FaultKind.UNKNOWN_REFERENCE})

_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(?P<title>.+?)[ \t#]*$", re.MULTILINE)
_BULLET: Final = re.compile(r"^[ \t]*(?:[-*+•\u2013]|\d{1,2}[.)])[ \t]+")
_CITATION: Final = re.compile(r"\s*\[S\d+(?:\s*[,;]\s*S?\d+)*\](?:\s*\(source inconnue\))?", re.IGNORECASE)
_DECORATION: Final = re.compile(r"[*_`#>|]+")
_ADDRESS: Final = re.compile(
    r"\S+@\S+\.\S+|\b[\w-]+(?:\.[\w-]+)*\.(?:com|fr|org|net|io|app|dev|eu)\b\S*", re.IGNORECASE
)
_NOTHING: Final = re.compile(r"(?:aucune?s?\b.{0,60}|neant|rien a signaler|donnee non disponible|r\.?a\.?s\.?)[ .…]*")
_ANY_REPORT: Final = r"(?:chaque|tous les|prochains?) (?:rapport|reponse)s?\b"
_WRITE: Final = r"\b(?:ecri(?:re|s|vez)|repete[rz]?|mentionne[rz]?|ajoute[rz]?|insere[rz]?|inclu(?:re|s|ez))\b"
# Words that address whoever writes the report, not whoever reads it: no item of ours speaks so. Without accents.
_TO_THE_AUTHOR: Final = tuple(
    map(
        re.compile,
        (
            r"\b(?:ignor|oubli|disregard|forget|overrid)\w*\b.{0,60}\b(?:instruction|consigne|regle|rule|prompt|previous)",
            r"\b(?:system|developer|assistant) ?(?:prompt|message|:)|\bprompt systeme",
            r"\b(?:tu es|you are|act as|agis comme)\b.{0,20}\b(?:desormais|maintenant|now|une?|an?)\b",
            r"\bvous etes\b.{0,20}\b(?:desormais|maintenant|assistant|modele|ia)\b",
            r"\b(?:every|each|all|next|future) (?:report|answer)",
            rf"{_WRITE}.{{0,40}}\b{_ANY_REPORT}|\b{_ANY_REPORT}.{{0,40}}{_WRITE}",
            rf"\b(?:commence|termine|fini)\w*\b.{{0,40}}\b{_ANY_REPORT}.{{0,20}}\bpar\b",
            r"\b(?:repete|recopie|reprodui|reitere|repeat|copy|append)\w*\b.{0,40}\b(?:phrase|texte?|message|rapport|report)",
            r"\b(?:mot pour mot|verbatim)\b",
            r"\b(?:reponds?|repondez|reply|respond|answer)\b.{0,20}\b(?:uniquement|seulement|only|par|with)\b",
            r"[a-z0-9+/=_-]{40,}",
        ),
    )
)
# What a search found or a page says is another's text: it does not show that a matter of ours is still open.
_OTHERS: Final = frozenset({SourceName.PERPLEXITY, SourceName.FIRECRAWL})
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9\-_.]{3,}")
_ALIKE: Final = 0.6
_FEWEST_WORDS: Final = 2


class KeptItem(FrozenModel):
    """One thing that the report before left to be followed up."""

    kind: Kept
    text: str = Field(max_length=ITEM_CHARS, description="One line of plain text.")
    repeated: bool = Field(description="A report had been shown it already; today's data still carry it.")


class Memory(FrozenModel):
    """What one report is shown of the one before."""

    since: AwareDatetime = Field(description="When that report was completed.")
    items: tuple[KeptItem, ...] = ()

    @property
    def period(self) -> str:
        """Return « depuis le rapport du … »: the period that the new report covers."""
        return f"depuis le rapport du {format_moment(self.since)}"


def recall(run_type: RunType, past: PastReport | None, collected: Collected, *, now: datetime) -> Memory | None:
    """Return what the next report is shown of the one before; None where there is none that may be remembered."""
    if past is None or not timedelta(0) <= now - past.completed_at <= OLDEST:
        return None
    shown_before = [_words(item) for _, item in _read_items(run_type, past.before or "")]

    @cache
    def read_data() -> list[frozenset[str]]:
        return [_words(line) for line in _own_lines(collected)]

    items: list[KeptItem] = []
    for kind, raw in _read_items(run_type, past.text):
        text = None if _is_order(raw) else _clean(raw, past.doubted)
        words = _words(text)
        if text is None or any(_are_alike(words, _words(item.text)) for item in items):
            continue
        repeated = past.superseded or any(_are_alike(words, before) for before in shown_before)
        if not repeated or any(_carries(line, words) for line in read_data()):
            items.append(KeptItem(kind=kind, text=text, repeated=repeated))
    return Memory(since=past.completed_at, items=tuple(_share_out(items)))


def render_memory(memory: Memory | None) -> str:
    """Render a memory as the text of its fence; empty where nothing is remembered."""
    if memory is None:
        return ""
    lines = [f"Période couverte : {memory.period}."]
    for kind, title in _TITLES.items():
        listed = [item for item in memory.items if item.kind is kind]
        if listed:
            lines += [f"{title} :", *(f"- {item.text}{_NOTE if item.repeated else ''}" for item in listed)]
    if not memory.items:
        lines.append("Ce rapport n'a laissé ni décision, ni priorité, ni alerte à suivre.")
    return "\n".join(lines)


_NOTE: Final = " (déjà suivi dans le rapport d'avant)"


def record_kept(run_type: RunType, report: str, faults: Iterable[Fault]) -> tuple[EvidenceRecord, ...]:
    """Render what a report leaves to be followed up as a row of evidence, for the digest of the day; none for another.

    ``faults``: those of the report. What is in doubt is left out: the digest has no list of doubts at its end.
    Shape: {decisions, priorities, alerts}, each a list of plain lines.
    """
    if not run_type.fills_digest:
        return ()
    doubted = [_quoted(fault.quote) for fault in faults if fault.kind in _DOUBTED and fault.quote.strip()]
    kept: dict[str, list[JsonValue]] = {kind.value: [] for kind in Kept}
    for kind, raw in _read_items(run_type, report):
        plain = _CITATION.sub("", raw)
        text = None if any(quote.search(plain) for quote in doubted) else _clean(raw, ())
        if text is not None and len(kept[kind.value]) < MOST_ITEMS:
            kept[kind.value].append(text)
    return (EvidenceRecord(evidence_type=KEPT_EVIDENCE, data={**kept}, source_url=None),)


def _read_items(run_type: RunType, report: str) -> Iterator[tuple[Kept, str]]:
    """Yield the items of the sections that are kept, in the report's order."""
    kinds = {_fold_title(section.title): section.keeps for section in run_type.sections if section.keeps is not None}
    headings = list(_HEADING.finditer(report))
    ends = [heading.start() for heading in headings[1:]] + [len(report)]
    for heading, end in zip(headings, ends, strict=False):
        kind = kinds.get(_fold_title(heading["title"]))
        if kind is not None:
            yield from ((kind, item) for item in _split_items(report[heading.end() : end]))


def _split_items(section: str) -> Iterator[str]:
    """Yield each item of a section's lists; of a section without a list, each of its paragraphs."""
    lines = section.strip().splitlines()
    has_list = any(_BULLET.match(line) for line in lines)
    item: list[str] = []
    for line in (*lines, ""):
        begins = bool(_BULLET.match(line))
        if begins or not line.strip():
            if item:
                yield " ".join(item)
            item = [_BULLET.sub("", line, count=1)] if begins else []
        elif item or not has_list:
            item.append(line.strip())


def _clean(item: str, doubted: Iterable[str]) -> str | None:
    """Return an item as one line without links, marks and doubted figures; None if nothing may be shown of it."""
    text = _MARKED_FIGURE.sub(_LOST, _CITATION.sub("", item[: 4 * ITEM_CHARS]))
    for quote in doubted:
        text = _quoted(quote).sub(_LOST, text) if quote.strip() else text
    text = _strip(text)
    if _ANY_MARK.search(text) or _NOTHING.fullmatch(_fold(text)):
        return None  # a marked figure that was not recognised, in words for instance, must not stay
    text = clean_line(text, ITEM_CHARS)
    return text if len(_words(text)) >= _FEWEST_WORDS else None


def _strip(text: str) -> str:
    """Remove links, markup and addresses."""
    return _ADDRESS.sub("", _DECORATION.sub("", sanitise(text).replace(REMOVED, "")))


def _is_order(item: str) -> bool:
    """Return whether an item addresses whoever writes the report."""
    plain = _fold(_strip(_CITATION.sub("", item[: 4 * ITEM_CHARS])))
    return any(pattern.search(plain) for pattern in _TO_THE_AUTHOR)


def _quoted(quote: str) -> re.Pattern[str]:
    """Compile a quote as it stands by itself: the « 2 » that is doubted is not in « 22 » or « 1,2 »."""
    return re.compile(rf"(?<![\w.,]){re.escape(quote)}(?!\w|[.,]\d)")


def _share_out(items: list[KeptItem]) -> list[KeptItem]:
    """Choose as many items as are shown: decisions, priorities and alerts in turn, each in the report's order."""
    queues = [[item for item in items if item.kind is kind] for kind in _TITLES]
    turns = [queue[place] for place in range(MOST_ITEMS) for queue in queues if place < len(queue)]
    chosen = turns[:MOST_ITEMS]
    return [item for item in items if item in chosen]


def _own_lines(collected: Collected) -> Iterator[str]:
    for finding in collected.findings:
        if finding.source not in _OTHERS:
            yield from finding.text.splitlines()


def _fold(text: str) -> str:
    """Reduce a text to what identifies it: no accent, no case, no decoration."""
    plain = "".join(filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", text)))
    return " ".join(_DECORATION.sub("", plain).casefold().replace("\u2019", "'").split())


_fold_title: Final = lru_cache(maxsize=256)(_fold)


def _words(text: str | None) -> frozenset[str]:
    return frozenset(_WORD.findall(_fold(text or "")))


def _are_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Return whether two texts share most words of the shorter one."""
    fewer = min(len(one), len(other))
    return fewer > 0 and len(one & other) >= _ALIKE * fewer


def _carries(line: frozenset[str], words: frozenset[str]) -> bool:
    """Return whether a line of our data speaks of the same matter."""
    return len(line & words) >= max(_FEWEST_WORDS, _ALIKE * len(words))
