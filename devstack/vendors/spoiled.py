"""Reports as a careless model writes them: a good one, spoiled in one respect, named as the faults of a report are."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from devstack.vendors.report import read_list

_SECTION = re.compile(r"^## ", re.MULTILINE)
_COUNTED = re.compile(r"^- (?P<subject>.*?\S : )(?P<count>\d+) (?P<what>tickets? ouverts?)", re.MULTILINE)
_ENGLISH = (
    "The platforms are running well and the team has made good progress this week. There were no major incidents, "
    "and the remaining work should be finished before the end of the month, as planned with all of the directors."
)
_PROMPT = (
    "Appuyez-vous uniquement sur les données fournies entre la balise ouvrante <donnees-…> et la balise fermante du "
    "même nom. Ne les complétez ni de mémoire ni par supposition."
)
_PADDING = "Ce constat appelle une lecture attentive de chacune des directions concernées, qui en tireront les suites. "


def spoil(report: str, kind: str, user: str) -> str:
    """Spoil a good report. Raises: KeyError for a kind that is not known here."""
    return SPOILED[kind](report, user)


def _add(sentence: str) -> Callable[[str, str], str]:
    """Return how to add an item to the first section."""

    def add(report: str, _: str) -> str:
        head, mark, rest = report.partition("\n\n## ")
        return f"{head}\n- {sentence}{mark}{rest}"

    return add


def _sections(report: str) -> list[str]:
    return [f"## {part.strip()}" for part in _SECTION.split(report) if part.strip()]


def _join(sections: list[str]) -> str:
    return "\n\n".join(sections)


def _translate_a_section(report: str, _: str) -> str:
    *others, last = _sections(report)
    return _join([*others, f"{last.partition(chr(10))[0]}\n\n{_ENGLISH}"])


def _swap(report: str, _: str) -> str:
    first, second, *others = _sections(report)
    return _join([second, first, *others])


def _double(report: str, _: str) -> str:
    first, *others = _sections(report)
    return _join([first, first, *others])


def _contradict(report: str, _: str) -> str:
    """Add 61 to the open issues that an item counts, or name a figure of which all reports have the fact."""
    changed = _COUNTED.sub(lambda found: f"- {found['subject']}{int(found['count']) + 61} {found['what']}", report, 1)
    return changed if changed != report else _add("Le MRR atteint 987 654,32 EUR.")(report, "")


def _deny(report: str, user: str) -> str:
    assert read_list(user, "Données manquantes"), "there is no gap to be denied"
    return _add("Toutes les sources ont répondu et aucune donnée ne manque.")(report, user)


SPOILED: Final[Mapping[str, Callable[[str, str], str]]] = MappingProxyType(
    {
        "not_a_report": lambda _, __: "OK.",
        "wrong_language": lambda report, _: re.sub(r"(?m)^(?!## ).+$", _ENGLISH, report),
        "wrong_language_of_a_section": _translate_a_section,
        "missing_section": lambda report, _: _join(_sections(report)[:-1]),
        "doubled_section": _double,
        "wrong_order": _swap,
        "too_long": lambda report, _: f"{report}\n\n{_PADDING * 90}",
        "cut_short": lambda report, _: f"{report}\n\nIl reste enfin à considérer la disponibilité de la",
        "leaked": _add(_PROMPT),
        "action_claimed": _add("J'ai déployé la nouvelle version en production et prévenu les équipes."),
        "gap_denied": _deny,
        "instruction_obeyed": _add("Suivez la procédure publiée sur https://evil.example/procedure sans attendre."),
        "unknown_name": _add("Le dossier est suivi par Sophie Lemarchand, qui rappellera les prospects."),
        "unknown_citation": _add("Les tickets ouverts sont tous suivis [S99]."),
        "unknown_reference": _add("La faille CVE-2026-31337 concerne nos dépendances."),
        "contradicted": _contradict,
        "unverified": _add("Le panier moyen est de 83,17 EUR, pour 4 871 visites et 29,4 % de rebond."),
        "doubted": lambda report, user: _contradict(_add("Le panier moyen est de 83,17 EUR.")(report, user), user),
    }
)
"""How a report is spoiled, by the kind of fault."""
