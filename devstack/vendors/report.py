"""A report in French, written from the question alone: it shows that the data went into the prompt."""

import re
from collections.abc import Sequence

_DATA = re.compile(
    r"<{1,3} *donn[ée]es[^>\n]*>{1,3}\n?(?P<data>.*?)\n?<{1,3} *(?:fin|/ *donn[ée]es)[^>\n]*>{1,3}",
    re.DOTALL | re.IGNORECASE,
)
_HEADING = re.compile(r"^#{1,6}\s+", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+(?P<text>\S.*)$")
_PLAN = re.compile(r"^#{1,6}[^\n]*\bplan\b[^\n]*$", re.MULTILINE | re.IGNORECASE)
_TITLE_END = re.compile(r"\s*(?:[—–:]|\s-\s)\s*")  # noqa: RUF001 - the dashes of French typography
_MISSING = "Données manquantes"
_USUAL_TITLES = ("Synthèse", "Analyse", "Recommandations")
_LINES_PER_SECTION = 4


def write_report(system: str, user: str) -> str:
    """Write the asked outline, quoting the data under it and naming what is missing."""
    titles = [title for title in read_outline(system) or _USUAL_TITLES if title != _MISSING]
    lines = read_data(user)
    parts = [_write_section(title, lines[place :: len(titles)]) for place, title in enumerate(titles)]
    gaps = read_gaps(user) or ["Aucune : toutes les sources demandées ont répondu."]
    return "\n\n".join([*parts, f"## {_MISSING}\n\n" + "\n".join(f"- {gap}" for gap in gaps)])


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


def read_data(user: str) -> list[str]:
    """Return the lines of the data, each with its source, those with figures first."""
    lines: list[str] = []
    for fence in _DATA.finditer(user):
        source = ""
        for line in fence["data"].splitlines():
            text = line.strip(" -•*\t")
            if text.startswith("Source :"):
                source = f" *({text.removeprefix('Source :').strip()})*"
            elif text:
                lines.append(f"{text}{source}")
    return sorted(lines or user.splitlines()[:_LINES_PER_SECTION], key=lambda line: not _has_figure(line))


def read_gaps(user: str) -> list[str]:
    """Return what the question itself says is missing: the list under that title, outside the data."""
    _, found, after = _DATA.sub("", user).rpartition(_MISSING)
    items = [_ITEM.match(line) for line in after.splitlines()] if found else []
    return [item["text"] for item in items if item]


def _write_section(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return f"## {title}\n\nDonnée non disponible."
    quoted = "\n".join(f"- {line}" for line in lines[:_LINES_PER_SECTION])
    return f"## {title}\n\nCe que disent les données lues :\n\n{quoted}"


def _has_figure(line: str) -> bool:
    return any(character.isdigit() for character in line)
