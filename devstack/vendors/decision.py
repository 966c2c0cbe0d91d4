"""The autopilot's choice, made from the question alone: the same question always has the same answer."""

import json
import re

_MARK = "pilote automatique"
_ALLOWED = re.compile(r"^- (?P<key>[A-Z][A-Z0-9_]+) : ", re.MULTILINE)
_SIGNAL = re.compile(r"^- (?:échec|plateforme au rouge|revue en retard), (?P<subject>[^\n:]+)", re.MULTILINE)
_FAVOURITE = "PLATFORM_STATUS_REVIEW"


def is_decision(system: str) -> bool:
    """Return whether the autopilot is asking."""
    return _MARK in system


def write_decision(user: str) -> str:
    """Choose one report that answers the first signal, or none."""
    allowed = _ALLOWED.findall(user)
    signal = _SIGNAL.search(user)
    chosen = [_FAVOURITE if _FAVOURITE in allowed else allowed[0]] if allowed and signal else []
    subject = signal["subject"].strip() if signal else ""
    reasoning = f"Un signal appelle une vérification : {subject}." if chosen else "Aucun signal n'appelle d'ajout."
    return json.dumps({"jobs_to_run": chosen, "reasoning": reasoning, "next_check_in_minutes": 30}, ensure_ascii=False)
