"""A report in French, written from the question alone, as a careful model writes it.

It has the outline that was asked for, the data's own lines with the number of their source, and nothing else.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_DATA = re.compile(r"^<(?P<tag>donnees-\w+)>\n(?P<data>.*?)\n</(?P=tag)>$", re.DOTALL | re.MULTILINE)
_SOURCE = re.compile(r"Source : (?P<number>\[S\d+\]) (?P<label>.*?), lu le ")
_HEADING = re.compile(r"^#{1,6}\s+", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+(?P<text>\S.*)$")
_PLAN = re.compile(r"^#{1,6}[^\n]*\bplan\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
_TITLE_END = re.compile(r"\s*(?:[—–:]|\s-\s)\s*")  # noqa: RUF001 - the dashes of French typography
_USUAL_TITLES = ("Synthèse", "Analyse", "Recommandations")
_LINES_PER_SECTION = 3
_LINE_CHARS = 200
# An address, or what speaks to the reader of the data: a careful model repeats neither.
_NOT_QUOTED = re.compile(r"://|[<>|`\[\]]|\b(?:ignore|oublie|appelle|donne|you|system|système)\b", re.IGNORECASE)
_KEY = re.compile(r" \[(?P<key>[a-z][a-z-]+)\]")
_CHANGES = "Évolutions"
_NO_DATA = "Donnée non disponible."
_CONFLICTS = "Données contradictoires"


class Line(NamedTuple):
    """A line of the data, and the source that it stands in."""

    text: str
    source: str
    citation: str

    @property
    def has_figure(self) -> bool:
        """Return whether it says how much, or when."""
        return any(character.isdigit() for character in self.text)

    @property
    def item(self) -> str:
        """Return it as an item of the report, with its source and a full stop."""
        subject = f"{self.source} : " if self.source else ""
        return f"- {subject}{self.text.rstrip(' .;:,')}{self.citation and f' {self.citation}'}."


def write_report(system: str, user: str) -> str:
    """Write the asked outline, quoting the data under it."""
    titles = read_outline(system) or list(_USUAL_TITLES)
    lines = read_data(user)
    sections = [_write_section(title, lines[place :: len(titles)]) for place, title in enumerate(titles)]
    conflicts = read_list(user, _CONFLICTS)
    if conflicts:
        sections[0] += "\n\nDonnées contradictoires :\n\n" + "\n".join(f"- {conflict}" for conflict in conflicts)
    return "\n\n".join(sections)


def read_outline(system: str) -> list[str]:
    """Find the titles of the outline: the items under a heading that speaks of a plan."""
    plan = _PLAN.search(system)
    if plan is None:
        return []
    following = system[plan.end() :]
    end = _HEADING.search(following)
    items = map(_ITEM.match, following[: end.start() if end else None].splitlines())
    titles = (_TITLE_END.split(item["text"])[0] for item in items if item)
    return [title.strip(" *_.") for title in titles]


def read_data(user: str) -> list[Line]:
    """Return what can be quoted of the numbered sources: what changed, then lines with figures, the sources in turn."""
    sources = [lines for fenced in _DATA.finditer(user) if (lines := _read_source(fenced["data"]))]
    turns = [
        lines[place] for place in range(max(map(len, sources), default=0)) for lines in sources if place < len(lines)
    ]
    return sorted(turns, key=lambda line: (not line.source.startswith(_CHANGES), not line.has_figure))


def read_list(user: str, title: str) -> list[str]:
    """Return the list that the question itself gives under a title, outside the data."""
    _, found, after = _DATA.sub("", user).rpartition(f"{title} :\n")
    items = [_ITEM.match(line) for line in after.partition("\n\n")[0].splitlines()] if found else []
    return [item["text"] for item in items if item]


def _read_source(data: str) -> list[Line]:
    """Return the lines of one source; memory and context have no number, and are no source."""
    head, _, body = data.partition("\n")
    source = _SOURCE.match(head)
    if source is None:
        return []
    texts = (_KEY.sub(r" (\g<key>)", line.strip(" -•*\t")) for line in body.splitlines())
    return [
        Line(text, source["label"].strip(), source["number"])
        for text in texts
        if text and not text.endswith(":") and len(text) <= _LINE_CHARS and not _NOT_QUOTED.search(text)
    ]


def _write_section(title: str, lines: Sequence[Line]) -> str:
    if not lines:
        return f"## {title}\n\n{_NO_DATA}"
    quoted = "\n".join(line.item for line in lines[:_LINES_PER_SECTION])
    return f"## {title}\n\nCe que disent les données lues sur ce point :\n\n{quoted}"
