"""Reports that say nothing wrong but for what a test has one section say."""

from evals.answers import GAPS, grounds_for
from evals.corpus import read_grounds
from workers.executive_run.verification.model import Grounds

BODY = "Rien à signaler dans cette partie pour la période examinée, d'après les données lues ce matin."


def grounds_of(run_type: str = "FINANCIAL_REPORT", data: str = "november", *, platform: str | None = None) -> Grounds:
    if data == GAPS:
        return grounds_for(run_type, GAPS)
    return read_grounds(data, run_type, ["all"], platform=platform)[0]


def report(grounds: Grounds, **bodies: str) -> str:
    """Write a good report in which some sections, by their place (``s0``), have a body of their own."""
    return "\n\n".join(
        f"## {section.title}\n\n{bodies.get(f's{place}', BODY)}"
        for place, section in enumerate(grounds.run_type.sections)
    )


def report_with(grounds: Grounds, title: str, body: str) -> str:
    """Write a good report in which the first section whose title begins so has a body of its own."""
    titles = [section.title for section in grounds.run_type.sections]
    place = next(place for place, each in enumerate(titles) if each.startswith(title))
    return report(grounds, **{f"s{place}": body})
