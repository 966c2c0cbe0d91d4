"""What came with a run of the HQ's tables, described in French; and what becomes of a table that is not there."""

from datetime import UTC, datetime, timedelta
from typing import Any

from support.clock import FakeClock
from support.sources import collect_from

from shared.facts import FactName
from shared.findings import Finding, GapReason
from shared.registry import RUN_TYPES, SourceName, find_run_type
from workers.ports import SOURCE_TEXT_CHARS, ReportInputs, Source, Subject
from workers.sources.agents_work import AgentsWorkSource
from workers.sources.audience import AudienceSource
from workers.sources.commercial import CommercialSource
from workers.sources.contacts import ContactsSource
from workers.sources.decisions import DecisionsSource
from workers.sources.personal_data import PersonalDataSource

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
SINCE = (NOW - timedelta(days=3)).isoformat()


def _table(*by: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"rows": sum(line["rows"] for line in by), "cut": False, "by": list(by)} | fields


def _sources(clock: FakeClock, *, allowed: bool = True, with_titles: bool = False) -> tuple[Source, ...]:
    return (
        AgentsWorkSource(allowed=allowed, clock=clock),
        AudienceSource(allowed=allowed, clock=clock),
        CommercialSource(allowed=allowed, clock=clock),
        ContactsSource(allowed=allowed, clock=clock),
        DecisionsSource(allowed=allowed, with_titles=with_titles, clock=clock),
        PersonalDataSource(allowed=allowed, clock=clock),
    )


def _subject(tables: dict[str, Any], platform_key: str | None = None) -> Subject:
    inputs = ReportInputs(tables=tables)
    return Subject(run_type=find_run_type("SEO_AUDIT"), platforms=(), platform_key=platform_key, inputs=inputs)


async def _read(source: Source, data: object, platform_key: str | None = None) -> Finding:
    collected = await collect_from(source, _subject({source.name: data}, platform_key))
    assert collected.gaps == ()
    (finding,) = collected.findings
    assert finding.source == source.name
    assert len(finding.text) <= SOURCE_TEXT_CHARS
    return finding


def _facts(finding: Finding) -> dict[tuple[FactName, str | None], int]:
    return {(fact.name, fact.subject): int(fact.value) for fact in finding.facts}


def test_every_one_of_them_feeds_a_report(clock: FakeClock) -> None:
    wanted = {source for entry in RUN_TYPES.values() for source in entry.sources}

    assert {SourceName(source.name) for source in _sources(clock)} <= wanted


async def test_a_setting_a_missing_table_and_a_failed_read_are_gaps_of_their_own(clock: FakeClock) -> None:
    for source in _sources(clock, allowed=False):
        (gap,) = (await collect_from(source, _subject({source.name: {}}))).gaps
        assert (gap.source, gap.reason) == (source.name, GapReason.NOT_CONFIGURED)
        assert f"READ_{source.name.upper()} l'interdit" in gap.sentence
    for source in _sources(clock):
        (missing,) = (await collect_from(source, _subject({source.name: None}))).gaps
        (failed,) = (await collect_from(source, _subject({}))).gaps
        (odd,) = (await collect_from(source, _subject({source.name: "odd"}))).gaps
        assert "sa table manque" in missing.sentence
        assert failed.reason is odd.reason is GapReason.UNAVAILABLE


async def test_commercial_work_is_described_by_state_with_sums_and_dates(clock: FakeClock) -> None:
    proposed = {"word": "proposed", "rows": 2, "sums": {"cash_component": 3000.5}, "oldest": SINCE, "newest": SINCE}
    data = {
        "deals": _table(proposed, {"word": "signed", "rows": 1}, {"word": "other", "rows": 1}),
        "calls": _table({"word": "relevant", "rows": 4}, due_30d=1, next_deadline="2026-12-03"),
        "opportunities": _table(),
        "tickets": {"unreadable": "42703"},
    }

    finding = await _read(CommercialSource(allowed=True, clock=clock), data)

    assert "Accords (studio) : 4 lignes\n- proposées : 2 ; part en numéraire 3 000,50 (devise non" in _plain(finding)
    assert "créées du 21 novembre 2026 au 21 novembre 2026" in finding.text
    assert "- autre état : 1" in finding.text
    assert "Opportunités (studio) : aucune ligne enregistrée" in finding.text
    assert "Demandes d'assistance : illisible" in finding.text
    assert "Échéances : 1 appel à projets ouvert échoit dans les 30 jours, le prochain le 03/12/2026" in finding.text
    assert _facts(finding) == {
        (FactName.OPEN_DEALS, None): 2,
        (FactName.SIGNED_DEALS, None): 1,
        (FactName.OPEN_CALLS, None): 4,
        (FactName.CALLS_DUE, None): 1,
    }


async def test_what_knows_platforms_is_about_the_one_that_was_asked_for(clock: FakeClock) -> None:
    data = {"pipeline": _table({"word": "lead", "rows": 2}), "deals": _table({"word": "draft", "rows": 1})}

    finding = await _read(CommercialSource(allowed=True, clock=clock), data, "nearvity")

    company = {(FactName.OPEN_DEALS, None): 1, (FactName.SIGNED_DEALS, None): 0}
    assert _facts(finding) == company | {(FactName.OPEN_SALES, "nearvity"): 2}


async def test_no_figure_is_made_of_what_was_not_counted_to_the_end(clock: FakeClock) -> None:
    data = {"deals": _table({"word": "draft", "rows": 100_000}, cut=True)}

    finding = await _read(CommercialSource(allowed=True, clock=clock), data)

    assert "lignes au moins" in finding.text
    assert finding.facts == ()


async def test_no_commercial_work_is_a_gap(clock: FakeClock) -> None:
    for data in ({}, {"deals": _table()}):
        (gap,) = (await collect_from(CommercialSource(allowed=True, clock=clock), _subject({"commercial": data}))).gaps
        assert gap.reason is GapReason.EMPTY


async def test_visits_say_that_anybody_can_inflate_them(clock: FakeClock) -> None:
    routes = [{"route": "/contact", "views": 30}, {"route": "other", "views": 4}]
    data = {"views": 34, "views_before": 20, "sessions": 9, "cut": False, "newest": SINCE, "routes": routes}

    finding = await _read(AudienceSource(allowed=True, clock=clock), data)
    flood = await _read(AudienceSource(allowed=True, clock=clock), data | {"cut": True})

    assert "34 pages vues, 9 sessions ; 7 jours précédents : 20 pages vues" in finding.text
    assert "un visiteur peut les gonfler" in finding.text
    assert "- autre : 4" in finding.text
    assert _facts(finding)[FactName.PAGE_VIEWS_WEEK, None] == 34
    assert "34 pages vues au moins" in flood.text
    assert flood.facts == ()


async def test_no_visit_is_a_gap(clock: FakeClock) -> None:
    data: dict[str, Any] = {"views": 0, "views_before": 0, "sessions": 0, "cut": False, "newest": None, "routes": []}

    (gap,) = (await collect_from(AudienceSource(allowed=True, clock=clock), _subject({"audience": data}))).gaps

    assert gap.reason is GapReason.EMPTY


async def test_messages_are_numbers_and_those_that_wait_have_an_age(clock: FakeClock) -> None:
    data = {
        "total": 40, "day": 1, "week": 3, "month": 12, "month_before": 8, "unread": 2, "oldest_unread": SINCE,
        "newest": SINCE, "days": [{"day": "2026-11-20", "messages": 5}],
    }  # fmt: skip

    finding = await _read(ContactsSource(allowed=True, clock=clock), data)

    assert "12 messages reçus en 30 jours (8 les 30 jours précédents), 3 en 7 jours, 1 en 24 h" in finding.text
    assert "2 messages non lus, le plus ancien du 21 novembre 2026" in finding.text
    assert "2026-11-20 (5)" in finding.text
    assert _facts(finding)[FactName.UNREAD_MESSAGES, None] == 2


async def test_a_host_that_notes_no_reading_has_no_unread_messages(clock: FakeClock) -> None:
    data: dict[str, Any] = {"total": 0, "day": 0, "week": 0, "month": 0, "month_before": 0, "newest": None, "days": []}

    finding = await _read(ContactsSource(allowed=True, clock=clock), data)

    assert "non lu" not in finding.text
    assert (FactName.UNREAD_MESSAGES, None) not in _facts(finding)


async def test_decisions_are_numbers_and_their_titles_only_where_allowed(clock: FakeClock) -> None:
    data = {
        "actions": _table({"word": "pending", "rows": 3}),
        "approvals": {"approved": 4, "rejected": 1, "newest": SINCE, "mean_days": 1.5},
        "journal": _table({"word": "decision", "rows": 2}),
        "titles": [{"title": "Ouvrir à Lyon", "at": SINCE}],
    }

    silent = await _read(DecisionsSource(allowed=True, with_titles=False, clock=clock), data)
    open_ = await _read(DecisionsSource(allowed=True, with_titles=True, clock=clock), data)

    assert "4 actions approuvées, 1 refusée ; délai moyen de 1,5 jours" in silent.text
    assert "Ouvrir à Lyon" not in silent.text + str(silent.data)
    assert "21 novembre 2026 : Ouvrir à Lyon" in open_.text
    assert _facts(silent) == {(FactName.ACTIONS_APPROVED, None): 4, (FactName.ACTIONS_REJECTED, None): 1}


async def test_personal_data_is_a_catalogue_with_its_caution(clock: FakeClock) -> None:
    guests = {
        "table": "public.guests", "kinds": ["email", "ip"], "columns": 2, "row_security": False, "policies": 0,
        "open_to": ["anon"],
    }  # fmt: skip
    data = {
        "tables": 9, "columns": 20, "without_row_security": 1, "open_to_anon": 1, "kinds": {"email": 4, "ip": 5},
        "list": [guests],
    }  # fmt: skip

    finding = await _read(PersonalDataSource(allowed=True, clock=clock), data)

    assert "9 tables contiennent des données personnelles, dans 20 colonnes ; 1 sans RLS, 1 avec" in finding.text
    assert "d'après les seuls noms des colonnes" in finding.text
    assert (
        "- public.guests : e-mail, adresse IP ; RLS INACTIVE ; 0 politique ; droits accordés à : anon" in finding.text
    )
    assert "- et 8 autres" in finding.text
    assert _facts(finding)[FactName.PERSONAL_TABLES_WITHOUT_RLS, None] == 1


async def test_the_work_of_agents_has_its_ends_its_time_and_its_cost(clock: FakeClock) -> None:
    work = {
        "agent": "CEO Agent", "runs": 5, "runs_before": 4, "completed": 3, "failed": 1, "cancelled": 1,
        "mean_ms": 12_500, "cost_eur": 0.42,
    }  # fmt: skip

    finding = await _read(AgentsWorkSource(allowed=True, clock=clock), [work, work | {"agent": None, "mean_ms": None}])

    first, second = finding.text.splitlines()
    assert _plain_text(first) == (
        "- CEO Agent : 5 exécutions ; 30 jours précédents : 4 ; 3 réussies, 1 en échec, 1 annulée ; "
        "réussite 75,0 % ; durée moyenne 12,5 s ; coût 0,4200 EUR"
    )
    assert second.startswith("- agent inconnu")


def _plain(finding: Finding) -> str:
    return _plain_text(finding.text)


def _plain_text(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")
