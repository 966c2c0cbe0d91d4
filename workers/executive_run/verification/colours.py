"""The colours of platforms: the data state them, and what the data do not state has none."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from shared.facts import FactName
from shared.registry import SourceName
from workers.executive_run.verification.evidence import Evidence
from workers.executive_run.verification.figure import Figure, Kind
from workers.executive_run.verification.gaps import judge_over_gap
from workers.executive_run.verification.model import Fault, FaultKind
from workers.executive_run.verification.prose import fold
from workers.executive_run.verification.statements import Statement
from workers.executive_run.verification.subjects import Subject, find_subject

_COLOUR: Final = re.compile(r"\b(?:vert|verte|vertes|oranges?|rouges?)\b|[🟢🟠🟡🔴]")
_SIGNS: Final = {"🟢": "vert", "🟠": "orange", "🟡": "orange", "🔴": "rouge"}
_COUNTS: Final = {
    "vert": FactName.PLATFORMS_GREEN,
    "orange": FactName.PLATFORMS_AMBER,
    "rouge": FactName.PLATFORMS_RED,
}
_NO_COLOUR: Final = re.compile(
    r"\bni\b|\bsans couleur|\bnon (?:attribue|evalue|determine|disponible|verifi)|\bne (?:peut|permet|peuvent|"
    r"permettent)|\bimpossible|\bindisponible|"
    r"\bstatut inconnu|\bet non\b|"
    r"\bpas (?:de couleur|de statut|evalue|verifi|pu )|\bnon disponible|"
    r"\bfil rouge|\bligne rouge|\bcarte verte|\bfeu vert\b|"
    r"\bseuil|\bpasse(?:r|ra)|\bsi\b|\brepasse|\bretour"
)
_OF_ANOTHER: Final = re.compile(r"\b(?:branche|remet\w*)\b[^.;,:]{0,40}$")
"""What a colour is that of a branch, or shall be: « remettre la branche principale au vert »."""
_EXCEPT: Final = re.compile(
    r"\b(?:hors|hormis|sauf|except\w*|a part|autres?|presque|quasi\w*|pas|ne|en dehors|reste des|objectif|ramener|"
    r"passage|remise|jusqu'a|quand|lorsque|pour que|hier|la veille|etait|etaient)\b"
)
_SAID: Final = re.compile(
    r"[\s:*()\[\],|>_\u2013—-]*(?:(?:est|reste|demeure|passe|affiche|toujours|encore|desormais|actuellement|aujourd'hui|"
    r"bien|un|son|le|la|statut|etat|couleur|plateforme|classee?|signalee?|notee?|au|a|l|en)\b[\s:*()'\u2013—-]*)*"
)
_SAID_BEFORE: Final = re.compile(r"\**\s?(?::|pour|chez|sur|,|\()\s?\**")
_EVERY: Final = re.compile(
    r"\b(?:toutes (?:les |nos )?(?:\w+ )?plateformes|l'ensemble des (?:\w+ )?plateformes|tous les sites)\**"
    r"(?P<verb>\s(?:sont|restent|demeurent|est|reste|affichent))?(?:\s(?:toutes|toujours|encore|bien|desormais|donc))*"
    r"\s\**(?:au |en |a l')?(?P<colour>vert|orange|rouge)(?:es|e|s)?\b"
)
_STATED: Final = re.compile(r"\bstatut (vert|orange|rouge)\b")
_OF_ALL: Final = re.compile(
    r"\b(?:plateformes?|sites)\b.{0,60}?(?:\b(?:au vert|a l'orange|au rouge|en vert|vertes?|en rouge)\b|[🟢🟠🟡🔴])"
)


def find_wrong_colours(text: str, statements: Sequence[Statement], evidence: Evidence) -> Iterator[Fault]:
    """Find a colour that is not the one the data state, or that is given although the data state none."""
    folded = fold(text)
    coloured = _coloured_platforms(evidence)
    stated = _stated_colours(evidence)
    for statement in statements:
        start, end = statement.span.start, statement.span.end
        found = list(_COLOUR.finditer(folded, start, end))
        if statement.is_proposed or not found or _NO_COLOUR.search(folded, start, end):
            continue
        if _OF_ANOTHER.search(folded, start, found[0].start()):
            continue
        spot = Figure(Kind.STRUCTURE, found[0].start(), found[0].end())
        subject = find_subject(spot, statement, folded)
        key = subject.key or evidence.grounds.platform_key
        if key is None:
            yield from _check_all(text, folded, statement, spot, evidence, has_any=bool(coloured))
        elif key not in coloured:
            if statement.figures or statement.platforms or statement.inherited:
                name = next((platform.name for platform in evidence.grounds.platforms if platform.key == key), key)
                yield judge_over_gap(statement, spot.start, spot.end, text[spot.start : spot.end], name)
        elif len(found) == 1 and _is_said_of(subject, spot, statement, folded):
            ours = stated.get(key, set())
            if len(ours) == 1 and _name(found[0][0]) not in ours:
                yield _contradict(text, statement, spot, *ours)


def _check_all(
    text: str, folded: str, statement: Statement, spot: Figure, evidence: Evidence, *, has_any: bool
) -> Iterator[Fault]:
    """Find all platforms given one colour, although the data count others, or state none."""
    start, end = statement.span.start, statement.span.end
    reads = SourceName.PLATFORMS in evidence.grounds.run_type.sources and bool(evidence.grounds.platforms)
    if not has_any and reads and _OF_ALL.search(folded, start, end):
        yield judge_over_gap(statement, spot.start, spot.end, text[spot.start : spot.end], "état des plateformes")
        return
    every = _EVERY.search(folded, start, end)
    if every is None or _EXCEPT.search(folded, start, end):
        return
    if not every["verb"] and (folded[start : every.start()].strip(" *-") or folded[every.end() : end].strip(" .!*")):
        return  # « ramener toutes les plateformes au vert »
    said = [fact.value for fact in evidence.facts.get(_COUNTS[every["colour"]], ())]
    whole = [fact.value for fact in evidence.facts.get(FactName.PLATFORMS, ())]
    if len(said) == len(whole) == 1 and said != whole:
        spot = Figure(Kind.STRUCTURE, every.start(), every.end())
        yield _contradict(text, statement, spot, f"{said[0]:f} sur {whole[0]:f}")


def _is_said_of(subject: Subject, spot: Figure, statement: Statement, folded: str) -> bool:
    """Return whether a colour is the platform's own: not its pipeline's, not that of all the others."""
    start, end = statement.span.start, statement.span.end
    if subject.is_shared or _EXCEPT.search(folded, start, end):
        return False
    before = [named for named in statement.platforms if named.end <= spot.start]
    if before:
        return bool(_SAID.fullmatch(folded, before[-1].end, spot.start))
    if statement.platforms:
        after = statement.platforms[0].start
        return len(statement.platforms) == 1 and bool(_SAID_BEFORE.fullmatch(folded, spot.end, after))
    return bool(_SAID.fullmatch(folded, start, spot.start))


def _name(colour: str) -> str:
    return _SIGNS.get(colour) or next(name for name in _COUNTS if name in colour)


def _stated_colours(evidence: Evidence) -> dict[str, set[str]]:
    """Return the colours that our own list of platforms states of each."""
    stated: dict[str, set[str]] = defaultdict(set)
    for source in evidence.grounds.sources:
        for line in source.text.split("\n") if source.source == SourceName.PLATFORMS.value else ():
            named = evidence.names.find(line, 0, len(line))
            key = named[0].key if named else source.platform_key
            if key and (found := _STATED.search(fold(line))):
                stated[key].add(found[1])
    return stated


def _coloured_platforms(evidence: Evidence) -> frozenset[str]:
    """Return the platforms of which a line of the data states the colour."""
    keys: set[str] = set()
    for source in evidence.grounds.sources:
        for line in source.text.split("\n"):
            if _COLOUR.search(fold(line)):
                keys.update(named.key for named in evidence.names.find(line, 0, len(line)))
                keys.update({source.platform_key} if source.platform_key else ())
    return frozenset(keys)


def _contradict(text: str, statement: Statement, spot: Figure, ours: str) -> Fault:
    quote = text[spot.start : spot.end]
    return statement.fault(
        FaultKind.CONTRADICTED,
        spot.start,
        spot.end,
        quote=quote,
        sentence=f"« {quote[:80]} » : nos données disent autre chose ({ours}).",
        ours=ours,
    )
