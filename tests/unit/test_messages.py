"""What a message says: readable by somebody who knows nothing of runs, bounded whatever it is about."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.notifications.contract import read_notice
from workers.notifications.messages import PUSH_BYTES, compose, render_html, render_push, render_text, write_trial
from workers.ports import DueMessage

FAILURE = {
    "report": "Audit SEO",
    "platform": "Nearvity",
    "reason": "Crédits IA insuffisants. Rechargez le compte du service d'IA puis relancez.",
}
ENVELOPE = 103
MOMENT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def message(kind: str, *details: Any, members: int | None = None, key: str = "k") -> DueMessage:
    return DueMessage(
        message_key=key,
        target="channel:a",
        kind=kind,
        attempt=1,
        members=len(details) if members is None else members,
        details=details,
        said_at=MOMENT,
        endpoint=None,
        p256dh=None,
        auth_key=None,
    )


def test_a_failure_names_report_platform_reason_and_what_to_do() -> None:
    notice = compose(message("run_failed", FAILURE))

    assert notice.title == "Échec : Audit SEO (Nearvity)"
    assert notice.body == (
        "Le rapport « Audit SEO (Nearvity) » n'a pas pu être produit.\n\n"
        "Crédits IA insuffisants. Rechargez le compte du service d'IA puis relancez.\n\n"
        "Le détail et le bouton de relance sont sur la page Historique du QG."
    )
    assert (notice.path, notice.urgency.value) == ("/hq/historique", "high")


def test_many_failures_are_counted_and_ten_are_named() -> None:
    notice = compose(message("run_failed", *[FAILURE] * 10, members=490))

    assert notice.title == "490 autres rapports ont échoué"
    assert notice.body.count("- Audit SEO (Nearvity) : Crédits IA insuffisants.") == 10
    assert "- et 480 autres" in notice.body


@pytest.mark.parametrize(
    ("kind", "details", "title", "said"),
    [
        (
            "incident_opened",
            {"platform": "Nearvity", "began_at": "2026-11-22T10:00:00+00:00", "reason": "Le site est injoignable."},
            "Site injoignable : Nearvity",
            "depuis le dimanche 22 novembre 2026 à 11 h 00 (heure de Paris).\n\nLe site est injoignable.\n\nVérifiez",
        ),
        (
            "incident_closed",
            {
                "platform": "Nearvity",
                "opened_at": "2026-11-22T10:00:00+00:00",
                "closed_at": "2026-11-22T10:12:05+00:00",
            },
            "Site rétabli : Nearvity",
            "Le site répond de nouveau, après 12 min 05 s d'incident. Il n'y a rien à faire.",
        ),
        (
            "stale_approvals",
            {"count": 2, "titles": ["À approuver : mise en production", "À approuver : purge"]},
            "2 actions attendent votre approbation",
            "- À approuver : mise en production\n- À approuver : purge\n\nApprouvez ou refusez",
        ),
        (
            "budget_reached",
            {"month_cost_eur": 83.2, "target_eur": 100, "pct_used": 83.2},
            "Budget IA : le seuil d'alerte du mois est atteint",
            "83,20 EUR dépensés ce mois-ci, sur 100,00 EUR (83 %).",
        ),
        (
            "morning_brief",
            {"summary": "## Synthèse\n\nTout va **bien**.\n- un point\n| a | b |"},
            "Votre synthèse du matin est prête",
            "Synthèse\nTout va bien.\nun point\n\nLa suite est sur la première page du QG.",
        ),
    ],
)
def test_every_kind_says_what_happened_and_what_to_do(
    kind: str, details: dict[str, Any], title: str, said: str
) -> None:
    notice = compose(message(kind, details))

    assert notice.title == title
    assert said in notice.body


def test_the_end_of_an_incident_replaces_its_beginning_on_a_phone() -> None:
    opened = compose(message("incident_opened", {"incident_id": "i"}, key="incident_opened:i"))
    closed = compose(message("incident_closed", {"incident_id": "i"}, key="incident_closed:i"))
    other = compose(message("incident_closed", {"incident_id": "j"}, key="incident_closed:j"))

    assert opened.tag == closed.tag != other.tag
    assert opened.message_id != closed.message_id, "a mailbox must not take the end for the same message"


def test_an_excerpt_keeps_its_signs_and_drops_markdown() -> None:
    summary = "### Trafic\n---\n  - -12 % de visites\n-3 % d'inscriptions\n> - **point**\n#1 du marché"

    body = compose(message("morning_brief", {"summary": summary})).body

    assert body.startswith("Trafic\n-12 % de visites\n-3 % d'inscriptions\npoint\n#1 du marché\n\n")


def test_approvals_that_are_not_named_are_counted() -> None:
    body = compose(message("stale_approvals", {"count": 5, "titles": ["a", "b", "c"]})).body

    assert "- c\n- et 2 autres\n\n" in body


@pytest.mark.parametrize(("spent", "said"), [(99, "À 100 %, le plan"), (100, "Le budget est épuisé : le plan")])
def test_the_budget_message_says_who_can_change_it_and_whether_it_is_used_up(spent: float, said: str) -> None:
    budget = {"month_cost_eur": spent, "target_eur": 100, "pct_used": spent}

    body = compose(message("budget_reached", budget)).body

    assert f"{said} et l'autopilote ne lancent plus rien ; vos demandes passent toujours.\n\nPour relever" in body
    assert "écrivez à l'équipe technique" in body


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/hq/plan", "/hq/plan"),
        ("//evil.example", "/hq"),
        ("/\\evil.example", "/hq"),
        ("/\u200b/evil.example", "/hq"),
        ("\u200b/hq", "/hq"),
        ("https://evil.example", "/hq"),
    ],
)
def test_a_message_of_the_page_leads_to_the_page_only(url: str, path: str) -> None:
    assert read_notice({"title": "a", "message": "b", "url": url}).path == path


def test_a_link_is_added_where_the_page_is_known_and_markup_stays_text() -> None:
    notice = compose(message("run_failed", FAILURE | {"reason": "<script>alert(1)</script> & *gras*"}))

    assert render_text(notice, "https://qg.fr/").endswith("\n\nhttps://qg.fr/hq/historique")
    assert render_text(notice, None) == notice.body
    html = render_html(notice, "https://qg.fr")
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; *gras*" in html
    assert '<a href="https://qg.fr/hq/historique">' in html


KINDS = ("run_failed", "incident_opened", "incident_closed", "stale_approvals", "budget_reached", "morning_brief", "x")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
FIELDS = ("report", "platform", "reason", "summary", "count", "titles", "began_at", "opened_at", "closed_at",
          "month_cost_eur", "target_eur", "pct_used", "incident_id")  # fmt: skip
DETAILS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5) | VALUES


@given(st.sampled_from(KINDS), st.lists(DETAILS, max_size=10), st.integers(1, 10_000))
def test_whatever_a_message_is_about_it_is_bounded_and_fits_a_device(
    kind: str, details: list[Any], members: int
) -> None:
    notice = compose(message(kind, *details, members=members))

    payload = render_push(notice)
    assert 0 < len(notice.title) <= 200
    assert 0 < len(notice.body) <= 2000
    assert "\n" not in notice.title
    assert len(payload) + ENVELOPE <= PUSH_BYTES
    assert json.loads(payload)["title"] == notice.title


@pytest.mark.parametrize("letter", ["a", "é", "€", "😀", '"', "\\"])
def test_a_long_text_is_cut_by_bytes_and_not_more_than_it_must(letter: str) -> None:
    notice = compose(message("run_failed", FAILURE | {"reason": letter * 2000}))

    payload = render_push(notice)

    assert len(payload) + ENVELOPE <= PUSH_BYTES
    if len(payload) + ENVELOPE < PUSH_BYTES - 700:
        assert json.loads(payload)["body"] == notice.body


def test_the_trial_message_says_that_there_is_nothing_to_do() -> None:
    assert "rien à faire" in write_trial().body
