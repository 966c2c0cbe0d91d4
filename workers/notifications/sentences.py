"""What a message says, in French, to somebody who knows nothing of runs: what happened, why, and what to do."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from shared.french import format_count, format_duration, format_moment, format_number
from shared.untrusted_text import clean_line, shorten

_LISTED: Final = 10
_EXCERPT_CHARS: Final = 500

# Of Markdown: what begins a line, which a space follows (a minus sign has none); tables and rules.
_MARKS: Final = re.compile(r"^(?:#{1,6}|>|[-*•])(?:\s+(?:#{1,6}|>|[-*•]))*\s+")
_UNREADABLE: Final = re.compile(r"\||-{3,}$")

Details = Mapping[str, JsonValue]


class Urgency(StrEnum):
    """How soon somebody should see it, in the page's words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


Text = tuple[str, str, str, Urgency]
"""Title, body, the page it is about, urgency."""


def write(kind: str, details: Sequence[Details], members: int) -> Text:
    """Write what happened; ``details`` holds the first of its ``members``."""
    return _KINDS.get(kind, _write_other)(details, members)


def _write_failures(details: Sequence[Details], members: int) -> Text:
    path = "/hq/historique"
    if members == 1:
        failure = details[0] if details else {}
        reason = _read(failure, "reason") or "La raison n'est pas connue."
        return (
            f"Échec : {_name_report(failure)}",
            (
                f"{_introduce_report(failure)} n'a pas pu être produit.\n\n{reason}\n\n"
                "Le détail et le bouton de relance sont sur la page Historique du QG."
            ),
            path,
            Urgency.HIGH,
        )
    failures = [
        f"{_name_report(failure)} : {clean_line(_read(failure, 'reason'), 150) or 'raison inconnue'}"
        for failure in details[:_LISTED]
    ]
    return (
        f"{format_number(members)} autres rapports ont échoué",
        (
            f"Ils ont échoué en une minute, souvent pour une même cause :\n\n{_list(failures, members)}\n\n"
            "Réglez la cause, puis relancez depuis la page Historique du QG."
        ),
        path,
        Urgency.HIGH,
    )


def _write_outages(details: Sequence[Details], members: int) -> Text:
    path = "/hq/plateformes"
    if members == 1:
        outage = details[0] if details else {}
        since = _read_moment(outage, "began_at")
        lines = [
            "Trois contrôles de suite ont échoué" + (f", depuis le {format_moment(since)}." if since else "."),
            _read(outage, "reason"),
            "Vérifiez son hébergement. Un message suivra quand le site répondra de nouveau.",
        ]
        return (
            f"Site injoignable : {_name_platform(outage)}",
            "\n\n".join(line for line in lines if line),
            path,
            Urgency.CRITICAL,
        )
    return (
        f"{format_number(members)} autres sites injoignables",
        f"{_list_platforms(details, members)}\n\nVérifiez l'hébergement, et le réseau des ouvriers du QG.",
        path,
        Urgency.CRITICAL,
    )


def _write_recoveries(details: Sequence[Details], members: int) -> Text:
    path = "/hq/plateformes"
    if members == 1:
        outage = details[0] if details else {}
        opened, closed = _read_moment(outage, "opened_at"), _read_moment(outage, "closed_at")
        lasted = f", après {format_duration(closed - opened)} d'incident" if opened and closed else ""
        return (
            f"Site rétabli : {_name_platform(outage)}",
            f"Le site répond de nouveau{lasted}. Il n'y a rien à faire.",
            path,
            Urgency.MEDIUM,
        )
    return (
        f"{format_number(members)} autres sites rétablis",
        _list_platforms(details, members) + "\n\nIl n'y a rien à faire.",
        path,
        Urgency.MEDIUM,
    )


def _write_approvals(details: Sequence[Details], members: int) -> Text:
    del members  # once a day
    waiting = details[0] if details else {}
    count, titles = waiting.get("count"), waiting.get("titles")
    number = count if isinstance(count, int) else 1
    named = titles if isinstance(titles, list) else []
    listed = [clean_line(title, 120) for title in named if isinstance(title, str)]
    verb = "attend" if number == 1 else "attendent"
    return (
        f"{format_count(number, 'action', 'actions')} {verb} votre approbation",
        (
            f"Depuis plus de 24 heures :\n\n{_list(listed, number)}\n\n"
            "Approuvez ou refusez sur la page Approbations du QG. Sans décision, rien n'est exécuté."
        ),
        "/hq/approbations",
        Urgency.HIGH,
    )


def _write_budget(details: Sequence[Details], members: int) -> Text:
    del members
    budget = details[0] if details else {}
    spent, target, percent = (_read_number(budget, name) for name in ("month_cost_eur", "target_eur", "pct_used"))
    state = (
        f"{format_number(spent, 2)} EUR dépensés ce mois-ci, sur {format_number(target, 2)} EUR "
        f"({format_number(percent)} %).\n\n"
        if spent is not None and target is not None and percent is not None
        else ""
    )
    is_exhausted = spent is not None and target is not None and spent >= target
    when = "Le budget est épuisé :" if is_exhausted else "À 100 %,"
    return (
        "Budget IA : le seuil d'alerte du mois est atteint",
        (
            f"{state}{when} le plan et l'autopilote ne lancent plus rien ; vos demandes passent toujours.\n\n"
            "Pour relever le budget ou alléger le plan, écrivez à l'équipe technique ; le Cockpit montre les dépenses."
        ),
        "/hq/cockpit",
        Urgency.HIGH,
    )


def _write_brief(details: Sequence[Details], members: int) -> Text:
    del members
    summary = _read(details[0], "summary") if details else ""
    lines = (_MARKS.sub("", line.strip()).replace("**", "").replace("`", "").strip() for line in summary.splitlines())
    excerpt = shorten("\n".join(line for line in lines if line and not _UNREADABLE.match(line)), _EXCERPT_CHARS)
    return (
        "Votre synthèse du matin est prête",
        f"{excerpt}\n\nLa suite est sur la première page du QG." if excerpt else "Elle est sur la première page du QG.",
        "/hq",
        Urgency.LOW,
    )


def _write_other(details: Sequence[Details], members: int) -> Text:
    del details, members
    return "Le QG a quelque chose à vous dire", "Ouvrez le QG pour le voir.", "/hq", Urgency.MEDIUM


_KINDS: Final[Mapping[str, Callable[[Sequence[Details], int], Text]]] = {
    "run_failed": _write_failures,
    "incident_opened": _write_outages,
    "incident_closed": _write_recoveries,
    "stale_approvals": _write_approvals,
    "budget_reached": _write_budget,
    "morning_brief": _write_brief,
}


KINDS: Final = tuple(_KINDS)
"""Every kind of message that SQL announces."""


def _name_report(failure: Details) -> str:
    report = clean_line(_read(failure, "report"), 100) or "un rapport"
    platform = clean_line(_read(failure, "platform"), 60)
    return f"{report} ({platform})" if platform else report


def _introduce_report(failure: Details) -> str:
    return f"Le rapport « {_name_report(failure)} »" if _read(failure, "report") else "Un rapport"


def _name_platform(outage: Details) -> str:
    return clean_line(_read(outage, "platform"), 60) or "une plateforme"


def _list_platforms(details: Sequence[Details], members: int) -> str:
    return _list([_name_platform(outage) for outage in details[:_LISTED]], members)


def _list(entries: Sequence[str], number: int) -> str:
    """Write a list of the first entries, and how many more there are."""
    rest = number - len(entries)
    more = [f"et {format_count(rest, 'autre', 'autres')}"] if entries and rest > 0 else []
    return "\n".join(f"- {entry}" for entry in [*entries, *more])


def _read(details: Details, name: str) -> str:
    value = details.get(name)
    return value if isinstance(value, str) else ""


def _read_number(details: Details, name: str) -> float | None:
    value = details.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_moment(details: Details, name: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_read(details, name))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
