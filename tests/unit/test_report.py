"""The report as it is stored: its first line is public and says nothing secret, its last parts are ours."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import FINDING, REPORT

from shared.findings import Collected, Gap, GapReason
from shared.french import format_day
from shared.registry import RUN_TYPES, find_run_type
from shared.sanitise import strip_markup
from workers.executive_run.grounds import ground
from workers.executive_run.report import PUBLIC_CHARS, write_first_line, write_report
from workers.executive_run.verification.model import SOFT, Fault, FaultKind, Grounds, Verification
from workers.ports import Platform, ReportInputs

GAP = Gap(source="stripe", label="Stripe · revenus", reason=GapReason.NOT_CONFIGURED, sentence="La clé manque.")
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def ground_on(
    run_type: str = "PLATFORM_STATUS_REVIEW",
    *,
    name: str = "NEARVITY",
    whole: bool = True,
    gaps: tuple[Gap, ...] = (),
    at: datetime = FINDING.read_at,
) -> Grounds:
    return ground(
        find_run_type(run_type),
        Collected(findings=(FINDING.model_copy(update={"read_at": at}),), gaps=gaps),
        platforms=[Platform(key="nearvity", name=name, status="green")],
        platform_key=None if whole else "nearvity",
        inputs=ReportInputs(),
        context=None,
        now=at,
    )


def found(*kinds: FaultKind) -> Verification:
    faults = [Fault(kind=kind, section=None, quote="9 999", sentence="Faute.") for kind in kinds]
    return Verification(text=REPORT, faults=tuple(faults), figures=0)


@given(
    run_type=st.sampled_from(sorted(RUN_TYPES)),
    name=st.text(max_size=60) | st.from_regex(r"[A-Z0-9 ]{1,20}", fullmatch=True),
    whole=st.booleans(),
    gaps=st.sampled_from([(), (GAP,)]),
    at=MOMENTS,
    kinds=st.lists(st.sampled_from(sorted(SOFT)), max_size=6),
)
def test_what_anybody_may_hear_of_a_report_holds_no_digit_but_those_of_its_date(
    run_type: str,
    name: str,
    whole: bool,  # noqa: FBT001 - hypothesis names its arguments
    gaps: tuple[Gap, ...],
    at: datetime,
    kinds: list[FaultKind],
) -> None:
    grounds = ground_on(run_type, name=name, whole=whole, gaps=gaps, at=at)

    report = write_report(found(*kinds), grounds, (FINDING,), ())

    line = report.partition("\n")[0]
    assert len(line) >= PUBLIC_CHARS
    assert re.findall(r"\d", report[:150].partition(" Données lues à ")[0].replace(format_day(at), "")) == []
    assert re.findall(r"\d", report[:PUBLIC_CHARS].replace(format_day(at), "")) == []


def test_the_first_line_says_what_it_is_and_when_its_data_were_read() -> None:
    line = write_first_line(found(), ground_on(whole=False))

    assert line == (
        "Chiffres comparés · Revue de Statut Plateforme · NEARVITY · 22 novembre 2026 : chaque chiffre de ce rapport a "
        "été comparé aux données lues par le QG, sans écart relevé. Données lues à 11 h 00 (heure de Paris)."
    )


@pytest.mark.parametrize(
    ("kinds", "gaps", "state"),
    [
        ([], (), "Chiffres comparés"),
        ([], (GAP,), "Données incomplètes"),
        ([FaultKind.UNVERIFIED], (GAP,), "Chiffres à vérifier"),
        ([FaultKind.UNKNOWN_CITATION], (), "Références à vérifier"),
        ([FaultKind.UNVERIFIED, FaultKind.CONTRADICTED], (), "Chiffres corrigés"),
    ],
)
def test_the_first_words_say_how_far_a_report_can_be_trusted(
    kinds: list[FaultKind], gaps: tuple[Gap, ...], state: str
) -> None:
    assert write_first_line(found(*kinds), ground_on(gaps=gaps)).startswith(f"{state} · ")


def test_the_last_parts_name_every_source_and_everything_that_is_missing() -> None:
    finding = FINDING.model_copy(update={"url": "https://github.com/laeticiamng/nearvity"})
    source = ground_on().sources[0].model_copy(update={"url": finding.url})
    grounds = ground_on(gaps=(GAP,)).model_copy(update={"sources": (source,)})

    report = write_report(found(), grounds, (finding,), find_run_type("PLATFORM_STATUS_REVIEW").sections[:2])

    assert report.endswith(
        "## Sources\n\n"
        "- [S1] [GitHub · NEARVITY](https://github.com/laeticiamng/nearvity), "
        "lu le dimanche 22 novembre 2026 à 11 h 00 (heure de Paris)\n"
        "- [S2] Calculs du QG, lu le dimanche 22 novembre 2026 à 11 h 00 (heure de Paris)\n\n"
        "## Données manquantes\n\n"
        "- Stripe · revenus : La clé manque.\n"
        "- Aucune source ne porte encore sur : « Statut général », « Métriques »."
    )


@pytest.mark.parametrize(
    "written",
    ["3{}1", "3<b></b>1", "3<br>1", "3&#49;", "3![x](y)1", "[3](https://evil.example)1", "3&#8203;1", "3&lt;b&gt;1"],
)
def test_no_figure_is_stored_that_was_not_verified(written: str) -> None:
    """What the verification reads and what is stored hold the same figures, whatever is removed between the two."""
    text = REPORT.replace("trois", written.format("<i></i>"))

    seen = strip_markup(text)
    stored = write_report(found().model_copy(update={"text": seen}), ground_on(), (FINDING,), ())

    body = stored.partition("\n\n")[2].partition("\n\n## Sources")[0]
    assert re.findall(r"\d+", body) == re.findall(r"\d+", re.sub(r"\(https?:[^)]*\)", "", seen))


@pytest.mark.parametrize("before", ["", "Voir ", "!"])
@pytest.mark.parametrize("after", ["(https://x.test/y)", ":", "[S2]", " : x"])
def test_a_citation_stays_a_citation(before: str, after: str) -> None:
    verification = found().model_copy(update={"text": REPORT.replace("[S1]", f"{before}[S1]{after}")})

    report = write_report(verification, ground_on(), (FINDING,), ())

    assert report.count("[S1]") == REPORT.count("[S1]") + 1
    assert not re.search(r"\[S1\][\[(:]|!\[", report)
