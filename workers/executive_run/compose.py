"""The grounds of a report → the question for the model. Pure.

Whatever comes from outside (titles of issues, pages, results of searches, the caller's context, an earlier report) is
data: it is bounded, stripped of invisible characters, and fenced between markers that it cannot close, because they
hold a random word drawn for this run. Each source has a number, by which the report cites it.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from shared.findings import Gap
from shared.french import format_moment
from shared.registry import MISSING_DATA_SECTION, Section, render_system_prompt
from shared.untrusted_text import clean_line, clean_text, fence
from workers.executive_run.grounds import AGAIN_CHARS, GAPS_CHARS, list_sources
from workers.executive_run.verification.model import Conflict, Fault, Grounds, NumberedSource
from workers.ports import Answer, Message, Platform

_FAULTS_CHARS: Final = 4_000
_MOST_FAULTS: Final = 20
_CONFLICTS_CHARS: Final = 2_000
CONFLICTS_TITLE: Final = "Données contradictoires"
_MOST_PLATFORMS: Final = 30
_REFUSAL: Final = "Ce rapport ne peut pas être remis en l'état. Ses fautes :"
_REQUEST: Final = (
    "Corrigez ces fautes sans en introduire d'autres, puis rendez le rapport entier, de la première partie à la "
    "dernière, sans commentaire. Ce que les données n'établissent pas, retirez-le ou écrivez « Donnée non disponible »."
)


def compose(grounds: Grounds, *, without_data: Sequence[Section], nonce: str) -> tuple[Message, ...]:
    """Compose the question of one run.

    Units: ``nonce`` is the random word of this run's fences; it must be unknown to the authors of the data.
    """
    numbered = list_sources(grounds)
    parts = [
        f"Nous sommes le {format_moment(grounds.now)}.",
        _render_scope(grounds.platforms, whole_company=grounds.platform_key is None),
        f"Rapport demandé : {grounds.run_type.label}.",
        *(fence(_title(source), source.text, nonce) for source in numbered),
        *([fence("mémoire, ce que retenait le rapport précédent", grounds.memory, nonce)] if grounds.memory else []),
        *([fence("contexte fourni par l'appelant", grounds.context, nonce)] if grounds.context else []),
        _render_conflicts(grounds.conflicts),
        render_gaps(grounds.gaps),
        _render_without_data(without_data),
    ]
    return (
        Message(role="system", content=render_system_prompt(grounds.run_type)),
        Message(role="user", content="\n\n".join(part for part in parts if part)),
    )


def compose_again(messages: Sequence[Message], answer: Answer, faults: Iterable[Fault]) -> tuple[Message, ...]:
    """Compose the second question: the first one, its answer, and what is wrong with it."""
    listed = [_render_fault(fault) for fault in tuple(faults)[:_MOST_FAULTS]]
    request = "\n".join([_REFUSAL, *listed, "", _REQUEST])
    return (
        *messages,
        Message(role="assistant", content=clean_text(answer.text, AGAIN_CHARS - _FAULTS_CHARS)),
        Message(role="user", content=clean_text(request, _FAULTS_CHARS)),
    )


def _render_conflicts(conflicts: Sequence[Conflict]) -> str:
    """List what sources contradict, which the report must name."""
    if not conflicts:
        return ""
    lines = (f"- {conflict.sentence}" for conflict in conflicts)
    return clean_text("\n".join([f"{CONFLICTS_TITLE} :", *lines]), _CONFLICTS_CHARS)


def render_gaps(gaps: Sequence[Gap]) -> str:
    """List what is missing."""
    if not gaps:
        return ""
    lines = (f"- {gap.label} : {gap.sentence}" for gap in gaps)
    return clean_text("\n".join([f"{MISSING_DATA_SECTION} :", *lines]), GAPS_CHARS)


def _render_scope(platforms: Sequence[Platform], *, whole_company: bool) -> str:
    names = ", ".join(clean_line(platform.name, 80) for platform in platforms[:_MOST_PLATFORMS])
    if not names:
        return "Entreprise : EMOTIONSCARE. Aucune plateforme n'est enregistrée dans la base du QG."
    subject = "Plateformes de l'entreprise" if whole_company else "Plateforme concernée"
    return f"Entreprise : EMOTIONSCARE. {subject} : {names}."


def _title(source: NumberedSource) -> str:
    address = "" if source.url is None else f" ({source.url})"
    period = "" if source.period is None else f", {source.period}"
    return f"[S{source.number}] {source.label}, lu le {format_moment(source.read_at)}{period}{address}"


def _render_without_data(sections: Sequence[Section]) -> str:
    if not sections:
        return ""
    titles = ", ".join(f"« {section.title} »" for section in sections)
    return f"Aucune donnée n'a été lue pour : {titles}. Écrivez-y seulement « Donnée non disponible »."


def _render_fault(fault: Fault) -> str:
    place = "" if fault.section is None else f"Partie « {clean_line(fault.section, 80)} » : "
    quote = "" if not fault.quote else f"« {clean_line(fault.quote)} » — "
    return f"- {place}{quote}{clean_line(fault.sentence, 300)}"
