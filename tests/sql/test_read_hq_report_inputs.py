"""What one report reads of the HQ's own database, in one call: each read by itself, bounded, and without a person."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.calls import call, claim_one, request, settle
from support.database import Connection, Database, Row
from support.host import CANARY, STUDIO, plant
from support.index_reads import count_entries_read

READS: Row = {
    "platforms": {},
    "past": {},
    "earlier": {"sources": ["stripe", "github"]},
    "commercial": {},
    "audience": {"routes": ["/", "/contact"]},
    "contacts": {},
    "decisions": {},
    "personal_data": {},
    "agents_work": {},
}
BRIEF = "DAILY_EXECUTIVE_BRIEF"


def _read(session: Connection, reads: object = READS, *, run_type: str = BRIEF, **params: object) -> dict[str, Any]:
    rows = call(session, "read_hq_report_inputs", run_type=run_type, reads=reads, **params)
    assert [row["error"] for row in rows] == [None] * len(rows)
    return {row["kind"]: row["data"] for row in rows}


def _one(session: Connection, kind: str, options: Row | None = None, **params: Any) -> Any:
    return _read(session, {kind: READS[kind] if options is None else options}, **params)[kind]


def _report(
    database: Database,
    text: str = "## Synthèse",
    *,
    run_type: str = BRIEF,
    contradicted: object = 0,
    facts: Sequence[Row] = (),
    faults: Sequence[Row] = (),
    **params: object,
) -> Row:
    """Complete a report, verified as given."""
    request(database.sql, run_type, force=True, **params)
    claimed = claim_one(database.sql)
    verified = {"evidence_type": "verification", "data": {"contradicted": contradicted, "faults": [*faults]}}
    evidence = [{"evidence_type": "facts", "data": {"facts": [*facts]}}] + (
        [verified] if contradicted is not None else []
    )
    settle(database.sql, claimed, summary=text, evidence=evidence)
    return claimed


def _age(database: Database, claimed: Row, interval: str) -> None:
    database.run(
        "update hq.runs set created_at = created_at - %s::interval, completed_at = completed_at - %s::interval"
        " where id = %s",
        interval,
        interval,
        claimed["run_id"],
    )


def _fact(value: object = "100", **fields: object) -> Row:
    given = {"name": "mrr", "subject": None, "value": value, "unit": "EUR", "source": "stripe", "scope": ""}
    return given | {"at": datetime.now(UTC).isoformat()} | fields


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_every_read_answers_on_both_schemas_of_the_host(variant: str, clone: Callable[[str], Database]) -> None:
    database = clone(f"{variant}_hq")

    read = _read(database.sql)

    assert set(read) == set(READS)
    assert read["past"] is None
    assert read["earlier"] == []
    assert read["contacts"]["total"] == 0
    assert "deals" not in read["commercial"]


def test_only_what_is_named_is_read_and_what_is_unknown_says_so(service: Connection) -> None:
    rows = call(service, "read_hq_report_inputs", run_type=BRIEF, reads={"contacts": {}, "tomorrow": {}})

    assert [(row["kind"], row["data"] is None, row["error"]) for row in rows] == [
        ("contacts", False, None),
        ("tomorrow", True, "42704"),
    ]
    assert call(service, "read_hq_report_inputs", run_type=BRIEF) == []


@pytest.mark.parametrize("reads", [[], [1], {"audience": None}, {"audience": 3}, {"audience": {"routes": {"a": 1}}}])
def test_odd_options_cost_nothing(reads: object, service: Connection) -> None:
    rows = call(service, "read_hq_report_inputs", run_type=BRIEF, reads=reads)

    assert [row["error"] for row in rows] == [None] * len(rows)


def test_the_past_and_the_earlier_facts_do_not_read_all_runs_of_their_type(database: Database) -> None:
    _report(database)
    database.run(
        "insert into hq.runs (run_type, status, created_at, completed_at) select %s, 'completed', at, at"
        " from generate_series(now() - interval '40 days', now() - interval '1 hour', interval '30 minutes') as at",
        BRIEF,
    )
    database.run("analyze hq.runs")
    before = count_entries_read(database)

    with database.connect() as session:
        assert _one(session, "past")["text"] == "## Synthèse"
        _one(session, "earlier")
        session.execute("select pg_stat_force_next_flush()")

    entries = sum(count_entries_read(database).values()) - sum(before.values())
    assert entries < 200


@pytest.mark.parametrize(
    "table", ["public.analytics_events", "public.contact_messages", "hq.approvals", "hq.sales_pipeline"]
)
def test_a_table_that_is_missing_costs_its_own_read_alone(table: str, database: Database) -> None:
    database.run(f"drop table {table} cascade")

    rows = {row["kind"]: row for row in call(database.sql, "read_hq_report_inputs", run_type=BRIEF, reads=READS)}

    failed = {kind for kind, row in rows.items() if row["error"] is not None}
    assert failed <= {"decisions"}
    assert rows["platforms"]["data"]


# The report before.


def test_the_report_before_is_the_latest_verified_one_of_the_type_and_scope(database: Database) -> None:
    first = _report(database, "## Un")
    _age(database, first, "2 days")
    second = _report(
        database, "## Deux", faults=[{"kind": "unverified", "quote": "12 €"}, {"kind": "other", "quote": "x"}]
    )
    _age(database, second, "1 day")

    past = _one(database.sql, "past")

    assert past["run_id"] == str(second["run_id"])
    assert (past["text"], past["before"], past["doubted"]) == ("## Deux", "## Un", ["12 €"])
    assert past["superseded"] is False
    assert datetime.now(UTC) - datetime.fromisoformat(past["completed_at"]) > timedelta(hours=23)


@pytest.mark.parametrize("contradicted", [1, None, "0", True, [], {}])
def test_a_report_that_contradicts_or_was_not_verified_is_not_remembered(
    contradicted: object, database: Database
) -> None:
    _age(database, _report(database, "## Bon"), "2 days")
    _age(database, _report(database, "## Douteux", contradicted=contradicted), "1 day")

    past = _one(database.sql, "past")
    assert (past["text"], past["superseded"]) == ("## Bon", True)


def test_another_scope_another_type_a_failure_and_an_old_report_are_not_remembered(database: Database) -> None:
    platform = database.one("select key from hq.platforms order by key limit 1")["key"]
    _report(database, "## Une plateforme", platform_key=platform)
    _report(database, "## Un autre type", run_type="CEO_STANDUP_MEETING")
    _age(database, _report(database, "## Vieux"), "45 days 1 hour")
    failed = _report(database, "## Échec")
    database.run("update hq.runs set status = 'failed' where id = %s", failed["run_id"])

    assert _one(database.sql, "past") is None
    assert _one(database.sql, "past", platform_key=platform)["text"] == "## Une plateforme"


def test_a_report_whose_end_has_not_come_or_cannot_be_read_is_passed_over(database: Database) -> None:
    ahead, odd = _report(database, "## Demain"), _report(database, "## 20260")
    database.run("update hq.runs set completed_at = now() + interval '1 day' where id = %s", ahead["run_id"])
    database.run("update hq.runs set completed_at = '20260-01-01' where id = %s", odd["run_id"])

    assert _one(database.sql, "past") is None


def test_a_long_report_is_cut(database: Database) -> None:
    _report(database, "x" * 30_000)

    assert len(_one(database.sql, "past")["text"]) == 20_000


# Earlier facts.


def _move(database: Database, interval: str) -> None:
    for column in ("since", "seen_at"):
        database.run(f"update hq.report_facts set {column} = {column} - %s::interval", interval)


def _lookbacks(database: Database, **params: Any) -> list[tuple[str, str]]:
    return [(fact["lookback"], fact["value"]) for fact in _one(database.sql, "earlier", **params)]


def test_the_facts_of_the_report_before_are_those_that_it_was_written_from(database: Database) -> None:
    _age(
        database,
        _report(database, facts=[_fact("1"), _fact("7", name="open_issues", source="github", subject="nearvity")]),
        "2 hours",
    )

    earlier = _one(database.sql, "earlier")

    assert [(fact["lookback"], fact["name"], fact["subject"], fact["value"]) for fact in earlier] == [
        ("report", "open_issues", "nearvity", "7"),
        ("report", "mrr", None, "1"),
    ]
    assert {*earlier[0]} == {"lookback", "name", "subject", "value", "unit", "source", "scope", "at"}
    assert [fact["source"] for fact in _one(database.sql, "earlier", {"sources": ["stripe"]})] == ["stripe"]
    assert _one(database.sql, "earlier", {}) == []


def test_a_day_a_week_and_a_month_ago_the_value_is_the_one_that_held(database: Database) -> None:
    for value, before in (("1", "31 days"), ("2", "8 days"), ("3", "2 days")):
        _report(database, run_type="CEO_STANDUP_MEETING", facts=[_fact(value)])
        database.run(
            "update hq.report_facts set since = now() - %s::interval,"
            " seen_at = now() - %s::interval + interval '23 hours' where value = %s::numeric",
            before,
            before,
            value,
        )

    assert _lookbacks(database) == [("day", "3"), ("week", "2"), ("month", "1")]


@pytest.mark.parametrize(("seen", "found"), [("60 hours", True), ("61 hours", False)])
def test_a_value_that_was_last_seen_over_36_hours_before_the_moment_is_none(
    seen: str, *, found: bool, database: Database
) -> None:
    _report(database, run_type="CEO_STANDUP_MEETING", facts=[_fact()])
    database.run(
        "update hq.report_facts set since = now() - interval '20 days',"
        " seen_at = now() - %s::interval + interval '1 minute'",
        seen,
    )

    assert (("day", "100") in _lookbacks(database)) is found


def test_a_report_on_one_platform_reads_its_facts_and_the_companys(database: Database) -> None:
    facts = [_fact("1"), _fact("2", subject="nearvity"), _fact("3", subject="med-mng")]
    _report(database, run_type="CEO_STANDUP_MEETING", facts=facts)
    _move(database, "25 hours")

    assert {value for _, value in _lookbacks(database, platform_key="nearvity")} == {"1", "2"}
    assert {value for _, value in _lookbacks(database)} == {"1", "2", "3"}


def test_a_thousand_series_are_cut_and_cost_little(database: Database) -> None:
    run = _report(database)
    database.run(
        "insert into hq.report_facts (run_id, name, subject, unit, source, value, since, seen_at)"
        " select %s, 'fact_' || n, '', 'count', 'stripe', n, now() - interval '40 days', now()"
        " from generate_series(1, 3000) as n",
        run["run_id"],
    )

    began = datetime.now(UTC)
    earlier = _one(database.sql, "earlier")

    assert len(earlier) == 1000
    assert datetime.now(UTC) - began < timedelta(seconds=5)


# The host's tables.


@pytest.fixture
def studio(database: Database) -> Database:
    database.sql.execute(STUDIO)
    return database


def test_commercial_work_is_counted_by_its_states(studio: Database) -> None:
    studio.run(
        "insert into hq.studio_deals (project_name, partner_name, deal_type, status, cash_component, created_at)"
        " select 'p', 'q', 'hybrid', s, 1500, now() - interval '3 days'"
        " from unnest(array['proposed', 'proposed', 'signed']) as s"
    )
    for status, days in (("relevant", 9), ("lost", 2)):
        studio.run(
            "insert into hq.studio_calls (title, call_type, status, deadline)"
            " values ('c', 'ami', %s, current_date + %s)",
            status,
            days,
        )

    read = _one(studio.sql, "commercial")

    (proposed, signed) = read["deals"]["by"]
    assert (proposed["word"], proposed["rows"], proposed["sums"]) == ("proposed", 2, {"cash_component": 3000})
    assert (signed["word"], signed["rows"]) == ("signed", 1)
    assert (read["deals"]["rows"], read["deals"]["cut"]) == (3, False)
    assert read["opportunities"] == {"rows": 0, "cut": False, "by": []}
    assert (read["calls"]["due_30d"], read["calls"]["next_deadline"]) == (
        1,
        str(datetime.now(UTC).date() + timedelta(days=9)),
    )


def test_an_odd_amount_or_date_costs_itself(studio: Database) -> None:
    studio.run("alter table hq.studio_deals alter cash_component type numeric")
    for amount, created in (("NaN", "20260-01-01"), ("1e20", "infinity"), ("10", "2026-11-01")):
        studio.run(
            "insert into hq.studio_deals (project_name, deal_type, cash_component, created_at)"
            " values ('p', 'hybrid', %s, %s)",
            amount,
            created,
        )

    (draft,) = _one(studio.sql, "commercial")["deals"]["by"]

    assert (draft["rows"], draft["sums"]) == (3, {"cash_component": 10})
    assert draft["oldest"].startswith("2026-11-01") or draft["oldest"].startswith("2026-10-31")


def test_a_business_table_with_the_columns_of_one_platform_is_counted_for_it(database: Database) -> None:
    database.run("alter table hq.sales_pipeline add platform_key text, add stage text, add value numeric")
    database.run(
        "insert into hq.sales_pipeline (platform_key, stage, value) values"
        " ('nearvity', 'lead', 5), ('med-mng', 'lead', 7), ('nearvity', 'Mme Durand', 1)"
    )

    everything = _one(database.sql, "commercial")["pipeline"]
    one = _one(database.sql, "commercial", platform_key="nearvity")["pipeline"]

    assert [(line["word"], line["rows"], line["sums"]["value"]) for line in everything["by"]] == [
        ("lead", 2, 12),
        ("other", 1, 1),
    ]
    assert [(line["word"], line["rows"]) for line in one["by"]] == [("lead", 1), ("other", 1)]


def test_a_table_that_cannot_be_read_is_named_and_costs_no_other(studio: Database) -> None:
    studio.run("drop table hq.studio_opportunities")
    studio.run("create view hq.studio_opportunities as select 1 / 0 as status")

    read = _one(studio.sql, "commercial")

    assert read["opportunities"] == {"unreadable": "22012"}
    assert read["deals"]["rows"] == 0


def test_visits_are_counted_by_known_route_and_by_session(database: Database) -> None:
    for path, session, age in (
        ("/", "a", "1 day"), ("/contact?utm=x", "a", "1 day"), ("/contact/", "b", "2 days"),
        ("/contact#form", "b", "3 days"),
        ("/../../etc/passwd", "c", "4 days"), (None, "c", "5 days"), ("/", "d", "8 days"), ("/", "e", "15 days"),
        ("/", "f", "-1 day"),
    ):  # fmt: skip
        database.run(
            "insert into public.analytics_events (event_type, page_path, session_id, created_at)"
            " values ('page_view', %s, %s, now() - %s::interval)",
            path,
            session,
            age,
        )

    read = _one(database.sql, "audience")

    assert (read["views"], read["views_before"], read["sessions"], read["cut"]) == (6, 1, 3, False)
    assert read["routes"] == [
        {"route": "/contact", "views": 3},
        {"route": "/", "views": 2},
        {"route": "other", "views": 1},
    ]


def test_a_flood_of_events_is_cut(database: Database) -> None:
    database.run(
        "insert into public.analytics_events (event_type, page_path, session_id)"
        " select 'page_view', '/x' || n, n::text from generate_series(1, 50010) as n"
    )

    read = _one(database.sql, "audience")

    assert (read["views"], read["cut"], read["routes"]) == (50_000, True, [{"route": "other", "views": 50_000}])


@pytest.mark.parametrize("variant", ["seed", "head"])
def test_messages_are_counted_by_day_and_state(variant: str, clone: Callable[[str], Database]) -> None:
    database = clone(f"{variant}_hq")
    for age in ("1 hour", "3 days", "40 days", "70 days"):
        database.run(
            "insert into public.contact_messages (name, email, subject, message, created_at)"
            " values ('n', 'e', 's', 'm', now() - %s::interval)",
            age,
        )
    if variant == "head":
        database.run("update public.contact_messages set read_at = now() where created_at < now() - interval '50 days'")

    read = _one(database.sql, "contacts")

    assert [read[key] for key in ("total", "day", "week", "month", "month_before")] == [4, 1, 2, 2, 1]
    assert sum(day["messages"] for day in read["days"]) == 2
    assert ("unread" in read, read.get("unread")) == ((True, 3) if variant == "head" else (False, None))


def test_decisions_are_counted_and_their_titles_read_only_where_an_option_asks(database: Database) -> None:
    (user,) = database.rows("select id from auth.users limit 1")
    database.run("insert into hq.journal_entries (user_id, title) values (%s, 'Ouvrir à Lyon')", user["id"])
    (action,) = database.rows(
        "insert into hq.actions (action_type, title, created_at)"
        " values ('a', 't', now() - interval '2 days') returning id"
    )
    database.run(
        "insert into hq.approvals (action_id, owner_id, decision) values (%s, %s, 'approved')", action["id"], user["id"]
    )

    read, with_titles = _one(database.sql, "decisions"), _one(database.sql, "decisions", {"titles": True})

    assert "titles" not in read
    assert [entry["title"] for entry in with_titles["titles"]] == ["Ouvrir à Lyon"]
    assert read["journal"]["by"][0]["word"] == "decision"
    assert {"approved": 1, "rejected": 0, "mean_days": 2.0}.items() <= read["approvals"].items()
    assert read["actions"]["by"][0]["word"] == "pending"


def test_personal_data_is_a_catalogue_of_names_with_what_protects_each_table(database: Database) -> None:
    database.run("create table public.guests (id int, email text, first_name text, telephone text, ip_address inet)")
    database.run("grant select on public.guests to anon")

    read = _one(database.sql, "personal_data")

    assert read["list"][0] == {
        "table": "public.guests",
        "kinds": ["email", "ip", "name", "phone"],
        "columns": 4,
        "row_security": False,
        "policies": 0,
        "open_to": ["anon", "authenticated"],
    }
    assert {entry["table"] for entry in read["list"]} >= {"public.contact_messages", "auth.users"}
    assert read["tables"] == len(read["list"])
    assert read["kinds"]["email"] >= 3


def test_a_slash_in_a_columns_name_is_a_character_of_its_word(database: Database) -> None:
    database.run('create table public.routes (id int, "user/name" text, "on/street/side" int)')

    read = _one(database.sql, "personal_data")

    assert "public.routes" not in {entry["table"] for entry in read["list"]}


def test_agents_are_counted_with_what_they_cost(database: Database) -> None:
    _report(database)
    _report(database, run_type="CEO_STANDUP_MEETING")
    database.run("update hq.runs set run_type = 'GONE' where run_type = 'CEO_STANDUP_MEETING'")

    read = _one(database.sql, "agents_work")

    assert [(line["agent"], line["runs"], line["completed"]) for line in read] == [("CEO Agent", 1, 1), (None, 1, 1)]


def test_nothing_that_anybody_typed_is_ever_returned(studio: Database) -> None:
    """A canary in every column of text of every table of the host, and in each of its words."""
    planted = plant(studio)

    answer = json.dumps(
        _read(studio.sql, READS | {"decisions": {"titles": False}, "platforms": {}, "past": {}}), default=str
    )

    assert planted > 30
    assert CANARY not in answer
    assert CANARY.casefold() not in answer.casefold()
