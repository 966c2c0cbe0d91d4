"""Good answers for every run type and data set: what no rule may trouble, and what the spoilers spoil."""

from collections.abc import Iterator
from typing import Final

from evals.corpus import read_grounds
from shared.fact_labels import FACT_LABELS, format_value
from shared.facts import Fact
from shared.findings import Gap, GapReason
from shared.registry import RUN_TYPES, RunType
from shared.run_types.model import Section
from workers.executive_run.verification.model import Grounds, NumberedSource

FULL: Final = "full"
GAPS: Final = "gaps"
CONFLICT: Final = "conflict"
DATA_SETS: Final = (FULL, GAPS, CONFLICT)

_PROPOSALS: Final = (
    (
        "1. Traiter d'abord ce qui bloque les utilisateurs ; effort estimé à 2 jours, échéance proposée J+7.\n"
        "2. Revoir l'ensemble au prochain point ; objectif : trois points clos d'ici la fin du mois."
    ),
    (
        "- Nommer un responsable pour chaque écart, avec un délai de 10 jours.\n"
        "- Hypothèse prudente : un tiers des écarts subsiste au T1 2027."
    ),
    (
        "La direction concernée devrait trancher cette semaine. Seuil proposé pour alerter la présidence : 5 jours de "
        "retard."
    ),
)
_FINDINGS: Final = (
    "Ces valeurs sont celles du jour ; rien d'autre ne ressort des sources lues.",
    "Aucun autre fait marquant ne figure dans ce qui a été lu.",
    "Le reste n'appelle pas de remarque à ce stade.",
)
_SCORE: Final = (
    "Note : 88 sur 100.\n\n- \u22128 points : des écarts connus restent ouverts.\n- \u22124 points : la revue manque."
)
_MISSING: Final = "Donnée non disponible : la source de cette partie n'a pas répondu."


def grounds_for(run_type: str, data: str = FULL) -> Grounds:
    """Return the grounds of a run type in one of the data sets."""
    if data == GAPS:
        full = read_grounds("november", run_type, ["platforms"])[0]
        gaps = tuple(
            Gap(
                source=source.value,
                label=f"Source {source.value}",
                reason=GapReason.UNAVAILABLE,
                sentence="Pas de réponse.",
            )
            for source in RUN_TYPES[run_type].sources
        )
        return full.model_copy(update={"sources": (), "calculations": None, "gaps": gaps})
    return read_grounds("november" if data == FULL else "conflict", run_type, ["all"])[0]


def write_answer(grounds: Grounds, **bodies: str) -> str:
    """Write a good answer; some sections, by their place (``s0``), may be given."""
    sections = grounds.run_type.sections
    return "\n\n".join(
        f"## {section.title}\n\n{bodies.get(f's{place}') or _write_section(section, place, grounds)}"
        for place, section in enumerate(sections)
    )


def write_all() -> Iterator[tuple[str, Grounds, str]]:
    """Write a good answer for every run type in every data set."""
    for key in RUN_TYPES:
        for data in DATA_SETS:
            grounds = grounds_for(key, data)
            yield f"{key} · {data}", grounds, write_answer(grounds)


def first_finding(run_type: RunType) -> int:
    """Return the place of the first section that does not propose, or 0."""
    return next((place for place, section in enumerate(run_type.sections) if not section.proposes), 0)


def _write_section(section: Section, place: int, grounds: Grounds) -> str:
    title = section.title.lower()
    if title in {"décision", "avis"}:
        return _write_decision(title, grounds)
    if section.proposes:
        return _PROPOSALS[place % len(_PROPOSALS)]
    if not grounds.sources:
        return _MISSING
    if title == "score":
        return _SCORE
    lines = [_write_fact(fact, source, grounds) for fact, source in _pick(grounds, place)]
    conflict = [f"- Données contradictoires : {each.sentence}" for each in grounds.conflicts] if place == 0 else []
    return "\n".join([*conflict, *lines, "", _FINDINGS[place % len(_FINDINGS)]])


def _write_decision(title: str, grounds: Grounds) -> str:
    if not grounds.sources:
        return "Aucune décision favorable n'est possible : les contrôles n'ont pas pu être lus."
    if title == "avis":
        return "Accepter, car le changement ne retire aucune protection ; à revoir dans un délai de 30 jours."
    return "GO sous conditions : les contrôles lus sont bons, sous réserve des points listés ailleurs."


def _pick(grounds: Grounds, place: int) -> list[tuple[Fact, NumberedSource]]:
    """Pick four facts, others for each section."""
    known = [(fact, source) for source in (*grounds.sources, grounds.calculations) if source for fact in source.facts]
    disputed = {(fact.name, fact.subject) for conflict in grounds.conflicts for fact in conflict.facts}
    known = [(fact, source) for fact, source in known if (fact.name, fact.subject) not in disputed]
    step = max(1, len(known) // 4)
    return [known[(place * 7 + number * step) % len(known)] for number in range(4)] if known else []


def _write_fact(fact: Fact, source: NumberedSource, grounds: Grounds) -> str:
    value = format_value(fact.value, fact.unit).replace(" EUR", " €")
    names = {platform.key: platform.name for platform in grounds.platforms}
    about = f"{names[fact.subject]} : " if fact.subject else ""
    return f"- {about}{FACT_LABELS[fact.name]}, {value} [S{source.number}]."
