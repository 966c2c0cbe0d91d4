"""Harmless typography: the ways in which a model may write the titles that it was asked to repeat word for word."""

import random
from collections.abc import Callable, Iterator
from typing import Final

from evals.answers import grounds_for, write_answer
from shared.registry import RUN_TYPES
from workers.executive_run.verification.model import Grounds

Dress = Callable[[int, str], str]

_TITLES: Final[dict[str, Dress]] = {
    "as asked": lambda _, title: f"## {title}",
    "level 1": lambda _, title: f"# {title}",
    "level 3": lambda _, title: f"### {title}",
    "level 4, closing hashes": lambda _, title: f"#### {title} ####",
    "numbered": lambda number, title: f"## {number}. {title}",
    "numbered with a bracket": lambda number, title: f"## {number}) {title}",
    "numbered with a dash": lambda number, title: f"## {number} - {title}",
    "Roman number": lambda number, title: (
        f"## {('I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII')[number - 1]}. {title}"
    ),
    "called a part": lambda number, title: f"## Partie {number} : {title}",
    "bold": lambda _, title: f"## **{title}**",
    "bold, number inside": lambda number, title: f"## **{number}. {title}**",
    "italic": lambda _, title: f"## *{title}*",
    "a colon": lambda _, title: f"## {title} :",
    "a colon without its space": lambda _, title: f"## {title}:",
    "a full stop": lambda _, title: f"## {title}.",
    "capitals": lambda _, title: f"## {title.upper()}",
    "capital initials": lambda _, title: f"## {title.title()}",
    "no accents": lambda _, title: f"## {title.translate(str.maketrans('éèêàçôîÉÈÀ', 'eeeacoiEEA'))}",
    "typographic apostrophes": lambda _, title: "## " + title.replace("'", "\u2019"),
    "hard spaces": lambda _, title: "## " + title.replace(" ", "\u00a0"),
    "two spaces": lambda _, title: "##  " + title.replace(" ", "  "),
    "no space after the hashes": lambda _, title: f"##{title}",
    "an emoji": lambda _, title: f"## 📌 {title}",
    "quoted": lambda _, title: f"## « {title} »",
    "the scope": lambda _, title: f"## {title} (toutes plateformes)",
    "the date": lambda _, title: f"## {title} — 27 novembre 2026",
    "bold line": lambda _, title: f"**{title}**",
    "bold line with a colon": lambda _, title: f"**{title} :**",
    "bold numbered line": lambda number, title: f"**{number}. {title}**",
    "underlined": lambda _, title: f"{title}\n{'=' * len(title)}",
    "underlined with hyphens": lambda _, title: f"{title}\n{'-' * len(title)}",
    "plain line": lambda _, title: title,
    "plain line with a colon": lambda _, title: f"{title} :",
    "plain numbered line": lambda number, title: f"{number}. {title}",
}
_WHOLES: Final[dict[str, Callable[[str], str]]] = {
    "nothing": lambda text: text,
    "fence": lambda text: f"```markdown\n{text}\n```",
    "bare fence": lambda text: f"```\n{text}\n```\n",
    "preamble": lambda text: f"Voici le rapport demandé :\n\n{text}",
    "title of the whole": lambda text: f"# Rapport pour la présidence\n\n*27 novembre 2026*\n\n---\n\n{text}",
    "rules between": lambda text: text.replace("\n\n#", "\n\n---\n\n#"),
    "Windows lines": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: f"\ufeff{text}",
    "our own sections": lambda text: f"{text}\n\n## Données manquantes\n\nAucune.\n\n## Sources\n\n- [S1] Base du QG",
    "trailing spaces": lambda text: "\n".join(f"{line}  " for line in text.split("\n")),
}


def write_variants(count: int = 200, seed: int = 11) -> Iterator[tuple[str, Grounds, str, str]]:
    """Write good answers of changing run types in harmless typography; yield each beside the plain one."""
    chance = random.Random(seed)
    keys, dresses, wholes = list(RUN_TYPES), list(_TITLES), list(_WHOLES)
    for number in range(count):
        key, dress = keys[number % len(keys)], dresses[number % len(dresses)]
        whole = chance.choice(wholes)
        grounds = grounds_for(key)
        plain = write_answer(grounds)
        dressed = plain
        for place, section in enumerate(grounds.run_type.sections, start=1):
            dressed = dressed.replace(f"## {section.title}\n", f"{_TITLES[dress](place, section.title)}\n", 1)
        yield f"{key} · {dress} · {whole}", grounds, _WHOLES[whole](dressed), plain
