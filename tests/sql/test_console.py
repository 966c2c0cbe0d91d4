"""The operators' console: what hangs, what failed, what it cost, who lives, and what to do about it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.calls import (
    USAGE,
    claim,
    claim_one,
    configure,
    expire,
    lease,
    logs_of,
    lose_lease,
    pass_time,
    queue_of,
    race,
    refused,
    request,
    request_of,
    rescue,
    run_of,
    settle,
    start,
    step,
    value,
)
from support.database import OWNER, Connection, Database, Row
from support.extensions import has_extension, need_extension

from shared import errors
from workers import schema

VIEWS = sorted(schema.read_views())
FAILURE = {
    "summary": "Le service d'IA est en panne. Relancez quand il est revenu.",
    "appendix": {"error_code": "gateway_unavailable", "error_message": "503 from the gateway"},
}


def _queue(database: Database) -> Row:
    return database.one("select * from hq.queue")


def _beat(database: Database, realtime: str = "live", *, seconds_ago: int = 0) -> None:
    database.run(
        "insert into hq.worker_heartbeats (worker_id, version, concurrency, running, realtime, started_at, seen_at) "
        "values (%s, '1.0', 10, 1, %s, now(), now() - make_interval(secs => %s))",
        f"worker-{realtime}",
        realtime,
        seconds_ago,
    )


def _timeline(database: Database, run_id: UUID) -> list[Row]:
    return database.rows("select * from hq.timeline(%s)", run_id)


def _health(database: Database) -> dict[str, Row]:
    return {row["controle"]: row for row in database.rows("select * from hq.health")}


def _fail(database: Database, claimed: Row, **failure: Any) -> None:
    assert settle(database.sql, claimed, "failed", **(FAILURE | failure)) == "failed"


# ── The views, each and all ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("template", ["seed_hq", "head_hq"])
def test_every_view_is_read_on_every_schema_and_has_its_comment(template: str, clone: Any) -> None:
    hq = clone(template)
    start(hq)

    for name in VIEWS:
        hq.rows(f"select * from hq.{name}")  # or the database says which it cannot read

    comment = "select obj_description(%s::regclass, 'pg_class') as text"
    comments = {name: hq.one(comment, f"hq.{name}")["text"] or "" for name in VIEWS}
    assert {name: text for name, text in comments.items() if not text.endswith(".")} == {}


def test_every_view_of_the_schema_has_its_file(database: Database) -> None:
    found = database.rows("select viewname from pg_views where schemaname = 'hq' order by 1")

    assert [row["viewname"] for row in found] == VIEWS


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_view_is_for_the_api(role: str, database: Database) -> None:
    with database.as_caller(role, OWNER) as session:
        for name in VIEWS:
            with refused("42501"):
                session.execute(f"select from hq.{name}".encode())
            granted = database.one("select has_table_privilege(%s, %s, 'select') as granted", role, f"hq.{name}")
            assert granted == {"granted": False}, "the tables beneath refuse it, the view should by itself"


def test_every_view_reads_as_whoever_asks(database: Database) -> None:
    """A grant made by mistake then opens nothing: the tables beneath stay closed."""
    query = "select relname, reloptions from pg_class where relkind = 'v' and relnamespace = 'hq'::regnamespace"
    options = {row["relname"]: row["reloptions"] for row in database.rows(query)}

    assert {name for name in VIEWS if options[name] != ["security_invoker=true"]} == set()


def test_a_view_whose_columns_became_others_is_made_anew(database: Database) -> None:
    before = database.one("select pg_get_viewdef('hq.workers') as view")
    database.run("drop view hq.workers")
    database.run("create view hq.workers as select 1 as nobody")

    schema.apply(database.url)

    assert database.one("select pg_get_viewdef('hq.workers') as view") == before


# ── hq.queue ─────────────────────────────────────────────────────────────────────────────────


def test_the_queue_tells_a_run_that_waits_from_one_that_runs(database: Database) -> None:
    _beat(database)
    request(database.sql, platform_key="emotionscare")
    waiting = _queue(database)
    claim_one(database.sql)
    running = _queue(database)

    assert (waiting["etat"], waiting["essai"], waiting["plateforme"]) == ("en attente", "1/3", "emotionscare")
    assert waiting["pourquoi"] == "Elle démarre dans un instant."
    assert (running["etat"], running["ouvrier"], running["prochain_essai"]) == ("en cours", "worker-1", None)


def test_the_queue_says_when_and_why_a_run_is_tried_again(database: Database) -> None:
    settle(database.sql, start(database), "retry", retry_in_seconds=600, **FAILURE)

    line = _queue(database)

    assert (line["etat"], line["essai"], line["pourquoi"]) == ("nouvel essai", "2/3", FAILURE["summary"])
    assert line["prochain_essai"] == database.one("select hq.paris_time(run_at) as due from hq.run_queue")["due"]


@pytest.mark.parametrize(
    ("change", "etat", "pourquoi"),
    [
        ("select hq.pause_runs()", "en pause", "hq.resume_runs()"),
        ("update hq.run_queue set run_at = now() - interval '2 min'", "en retard", "occupés"),
        ("update hq.worker_heartbeats set seen_at = now() - interval '2 min'", "en attente", "Aucun ouvrier"),
        ("delete from hq.run_queue", "hors file", "d'ici une minute"),
    ],
)
def test_the_queue_says_why_a_run_does_not_start(change: str, etat: str, pourquoi: str, database: Database) -> None:
    _beat(database)
    request(database.sql)
    database.run(change)

    line = _queue(database)

    assert line["etat"] == etat
    assert pourquoi in line["pourquoi"]


def test_the_queue_sees_that_a_worker_fell_silent(database: Database) -> None:
    start(database)
    expire(database)

    assert _queue(database)["etat"] == "sans nouvelles"


# ── hq.failures and hq.timeline ──────────────────────────────────────────────────────────────


def test_a_failure_says_what_happened_and_what_to_do(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)

    failure = database.one("select * from hq.failures")

    assert failure["execution"] == claimed["run_id"]
    assert (failure["code"], failure["raison"]) == ("gateway_unavailable", FAILURE["summary"])
    assert failure["que_faire"] == "relancer quand il est revenu"
    assert failure["cause_technique"] == "503 from the gateway"
    assert failure["relance"] is None
    database.rows("select * from hq.retry_run(%s)", claimed["run_id"])
    assert database.one("select relance from hq.failures")["relance"] == "pending"
    pass_time(database, 25 * 3600)
    assert database.rows("select * from hq.failures") == []


def _codes(error: type[errors.WorkersError]) -> set[str]:
    return {error.code}.union(*map(_codes, error.__subclasses__()))


def test_every_way_to_fail_is_in_the_list(database: Database) -> None:
    listed = {row["code"]: row for row in database.rows("select * from hq.list_failure_codes()")}
    abstract = {"gateway", "backend", "run"}
    of_a_request = {errors.QueueHeld.code}  # refused before there is a run

    for family in (errors.GatewayError, errors.BackendError, errors.RunError):
        assert _codes(family) - abstract - of_a_request <= set(listed)
    assert not of_a_request & set(listed)
    assert {code for code, row in listed.items() if not row["lettre_morte"]} == {
        "gateway_out_of_credit",
        "unknown_run_type",
        "unknown_platform",
        "invalid_request",
        "context_too_large",
        "ended_by_hand",
        "cancelled",
        "run_stuck",
    }


def test_a_timeline_tells_the_whole_story_in_order(database: Database) -> None:
    run_id = request(database.sql, platform_key="emotionscare", context={"sujet": "tarifs"})["run_id"]
    settle(database.sql, claim_one(database.sql), "retry", usage=USAGE, **FAILURE)
    claimed = claim_one(database.sql, "worker-2")
    value(database.sql, "checkpoint_hq_step", **lease(claimed), step=step(), usage={})
    database.run("update hq.run_steps set started_at = (select created_at from hq.runs)")
    settle(database.sql, claimed, usage=USAGE)

    story = _timeline(database, run_id)

    reported = ("demande", "étape", "prise", "coût", "essai manqué", "prise", "coût", "rapport", "fin")
    assert tuple(line["quoi"] for line in story) == reported
    assert all(line["heure_de_paris"] for line in story)
    asked, *_, ended = story
    assert asked["detail"] == 'SEO_AUDIT emotionscare · par sql (manual) · contexte {"sujet": "tarifs"}'
    assert ended["detail"] == "completed · en tout 0.025000 €"
    retried = next(line["detail"] for line in story if line["quoi"] == "essai manqué")
    assert "gateway_unavailable · 503 from the gateway" in retried
    assert sum(line["cout_eur"] or 0 for line in story) == 2 * Decimal(str(USAGE["cost_eur"]))


def test_the_timeline_of_nothing_is_refused(database: Database) -> None:
    with refused("HQ006"):
        _timeline(database, uuid4())


@pytest.mark.parametrize(
    ("statement", "code", "known"),
    [
        ("select hq.request_run('NOPE')", "HQ002", "SEO_AUDIT"),
        ("select hq.request_run('SEO_AUDIT', 'nope')", "HQ003", "emotionscare"),
    ],
)
def test_a_wrong_name_is_answered_with_a_query_that_lists_the_right_ones(
    database: Database, statement: str, code: str, known: str
) -> None:
    with refused(code) as caught:
        database.run(statement)

    before, query = (caught.value.diag.message_hint or "").split(" : ")
    assert before in {"Les types connus", "Les plateformes connues"}
    assert known in {row["key"] for row in database.rows(query)}


# ── hq.cancel_run and hq.retry_run ───────────────────────────────────────────────────────────


def test_cancelling_says_what_became_of_it(database: Database) -> None:
    ended = start(database, "CODE_REVIEW")
    settle(database.sql, ended)
    waiting = request(database.sql)["run_id"]

    reported = [
        database.one("select hq.cancel_run(%s) as said", run_id)["said"]
        for run_id in (waiting, waiting, ended["run_id"])
    ]

    assert run_of(database, waiting)["status"] == "cancelled"
    assert reported == [
        "L'exécution est annulée.",
        "L'exécution était déjà annulée.",
        "Trop tard : l'exécution est terminée, son rapport est là.",
    ]
    with refused("HQ006"):
        database.one("select hq.cancel_run(%s)", uuid4())


def _retry(database: Database, run_id: UUID) -> Row:
    return database.one("select * from hq.retry_run(%s)", run_id)


def test_a_retry_asks_again_with_the_whole_request_at_once(database: Database) -> None:
    claimed = start(database, platform_key="emotionscare", context={"sujet": "tarifs"})
    _fail(database, claimed)

    retried = _retry(database, claimed["run_id"])

    assert (retried["status"], retried["created"]) == ("pending", True)
    asked = request_of(database, retried["run_id"])
    assert (asked["context"], asked["trigger"], asked["retry_of"]) == ({"sujet": "tarifs"}, "retry", claimed["run_id"])
    assert run_of(database, retried["run_id"])["platform_key"] == "emotionscare"
    assert "nouvel essai de" in _timeline(database, retried["run_id"])[0]["detail"]


def test_a_retry_during_a_pause_is_one_too(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)
    pass_time(database, 60)
    database.one("select hq.pause_runs()")
    asked = request(database.sql, trigger="schedule")

    retried = _retry(database, claimed["run_id"])

    assert (retried["run_id"], retried["reason"]) == (asked["run_id"], "already_running, paused")
    assert request_of(database, asked["run_id"])["retry_of"] == claimed["run_id"]


def test_a_sensitive_run_can_be_retried(database: Database) -> None:
    claimed = start(database, "RLS_POLICY_UPDATE")
    _fail(database, claimed)

    assert _retry(database, claimed["run_id"])["created"]


def test_of_those_who_retry_at_once_one_makes_a_run(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)
    query = b"select run_id, created from hq.retry_run(%s)"

    reported = race(database.connect, [lambda s: s.execute(query, [claimed["run_id"]]).fetchone()] * 5)

    assert len({row["run_id"] for row in reported if row}) == 1
    assert [row["created"] for row in reported if row].count(True) == 1


def test_what_has_not_ended_is_not_retried(database: Database) -> None:
    run_id = request(database.sql)["run_id"]

    assert _retry(database, run_id) == {
        "run_id": run_id,
        "status": "pending",
        "created": False,
        "reason": "not_ended",
    }
    with refused("HQ006"):
        _retry(database, uuid4())


def test_a_retry_works_on_the_older_schema_too(seed_database: Database) -> None:
    claimed = start(seed_database)
    _fail(seed_database, claimed)

    retried = _retry(seed_database, claimed["run_id"])
    settle(seed_database.sql, claim_one(seed_database.sql))

    assert run_of(seed_database, retried["run_id"])["status"] == "completed"


# ── The dead letters ─────────────────────────────────────────────────────────────────────────


def _letters(database: Database) -> list[Row]:
    return database.rows("select * from hq.runs_dlq order by created_at, ctid")


def _states(database: Database) -> dict[UUID, str]:
    return {row["original_run_id"]: row["status"] for row in _letters(database)}


def test_a_run_that_failed_for_good_keeps_its_whole_request(database: Database) -> None:
    claimed = start(database, platform_key="emotionscare", context={"sujet": "tarifs"})
    _fail(database, claimed)

    (letter,) = _letters(database)

    assert (letter["original_run_id"], letter["run_type"]) == (claimed["run_id"], "SEO_AUDIT")
    assert (letter["status"], letter["attempts"], letter["failure_reason"]) == ("pending", 0, "gateway_unavailable")
    assert letter["last_error"] == FAILURE["summary"]
    requested_at = request_of(database, claimed["run_id"])["created_at"]
    assert datetime.fromisoformat(letter["payload"].pop("requested_at")) == requested_at
    assert letter["payload"] == {
        "run_type": "SEO_AUDIT",
        "platform_key": "emotionscare",
        "context": {"sujet": "tarifs"},
        "trigger": "manual",
        "requester": "sql",
    }


def test_the_hosts_worker_never_takes_one(database: Database, service: Connection) -> None:
    """It would call the old function, and mark as recovered what failed again."""
    _fail(database, start(database))

    assert service.execute("select * from public.get_dlq_pending(20)").fetchall() == []
    assert [letter["status"] for letter in _letters(database)] == ["pending"]


def test_the_screens_list_shows_it(database: Database, owner: Connection) -> None:
    _fail(database, start(database))

    shown = owner.execute("select * from public.get_hq_dlq_entries(20)").fetchall()

    assert [(row["status"], row["last_error"]) for row in shown] == [("pending", FAILURE["summary"])]


@pytest.mark.parametrize("code", ["gateway_out_of_credit", "unknown_run_type", "invalid_request", "context_too_large"])
def test_what_asking_again_cannot_help_is_not_kept(code: str, database: Database) -> None:
    _fail(database, _start_handed_back(database), appendix={"error_code": code})

    assert _letters(database) == []


def test_what_a_person_ended_is_not_kept(database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    database.one("select hq.cancel_run(%s)", run_id)
    start(database, "CODE_REVIEW")
    database.run("update hq.runs set status = 'failed' where status = 'running'")
    rescue(database.sql)

    assert _letters(database) == []


def test_a_run_whose_workers_vanished_is_kept_once(database: Database) -> None:
    claimed = start(database)
    for _ in range(3):
        lose_lease(database)
        if queue_of(database, claimed["run_id"]):
            claim_one(database.sql)
    rescue(database.sql)

    (letter,) = _letters(database)
    assert (letter["original_run_id"], letter["failure_reason"]) == (claimed["run_id"], "lease_lost")


def _failing(claimed: Row) -> Callable[[Connection], object]:
    return lambda session: settle(session, claimed, "failed", **FAILURE)


def test_settling_and_rescuing_at_once_keep_it_once(database: Database) -> None:
    for _ in range(5):
        claimed = start(database)
        database.run("update hq.run_queue set attempt = 2, leased_until = now() - interval '1 s'")
        race(database.connect, [_failing(claimed), rescue])
        rescue(database.sql)
        pass_time(database, 60)

    assert len(_letters(database)) == len(_states(database)) == 5


def test_an_entry_follows_its_retry_to_the_report(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)

    _retry(database, claimed["run_id"])
    asked = _states(database)
    settle(database.sql, claim_one(database.sql))

    assert asked == {claimed["run_id"]: "in_progress"}
    (letter,) = _letters(database)
    assert (letter["status"], letter["attempts"]) == ("recovered", 1)
    assert letter["resolved_at"] is not None


def test_a_retry_that_fails_again_closes_its_entry_and_has_one_of_its_own(database: Database) -> None:
    first = start(database)
    _fail(database, first)
    second = _retry(database, first["run_id"])["run_id"]
    _fail(database, claim_one(database.sql))
    failed_again = _states(database)

    third = _retry(database, second)
    under_way = _states(database)
    settle(database.sql, claim_one(database.sql))

    assert third["created"]
    assert failed_again == {first["run_id"]: "abandoned", second: "pending"}
    assert under_way == {first["run_id"]: "in_progress", second: "in_progress"}
    assert _states(database) == {first["run_id"]: "recovered", second: "recovered"}


@pytest.mark.parametrize("end", ["cancelled", "out_of_credit", "ended_by_hand"])
def test_a_retry_that_decides_nothing_puts_its_entry_back(end: str, database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)
    retried = _retry(database, claimed["run_id"])["run_id"]
    if end == "cancelled":
        database.one("select hq.cancel_run(%s)", retried)
    elif end == "ended_by_hand":
        database.run("update hq.runs set status = 'failed' where id = %s", retried)
        rescue(database.sql)
    else:
        _fail(database, claim_one(database.sql), appendix={"error_code": "gateway_out_of_credit"})

    assert _states(database) == {claimed["run_id"]: "pending"}


def test_a_run_put_back_by_hand_marks_its_own_entry(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)
    adopted = _states(database)
    again = claim_one(database.sql)
    _fail(database, again)
    failed_again = _states(database)
    database.run("update hq.runs set status = 'pending'")
    rescue(database.sql)
    settle(database.sql, claim_one(database.sql))

    assert len(_letters(database)) == 1
    assert adopted == {claimed["run_id"]: "in_progress"}
    assert failed_again == {claimed["run_id"]: "pending"}
    assert _states(database) == {claimed["run_id"]: "recovered"}


def test_a_retry_that_a_run_in_flight_answers_follows_that_run(database: Database) -> None:
    claimed = start(database)
    _fail(database, claimed)
    pass_time(database, 60)
    request(database.sql)

    assert _retry(database, claimed["run_id"])["reason"] == "already_running"
    settle(database.sql, claim_one(database.sql))
    assert _states(database) == {claimed["run_id"]: "recovered"}


def test_the_screens_relaunch_is_a_retry_too(database: Database, owner: Connection) -> None:
    claimed = start(database, platform_key="emotionscare", context={"sujet": "tarifs"})
    _fail(database, claimed)
    request(owner, platform_key="emotionscare")
    relaunched = _states(database)
    settle(database.sql, claim_one(database.sql))

    assert relaunched == {claimed["run_id"]: "in_progress"}
    assert _states(database) == {claimed["run_id"]: "recovered"}


def test_a_retry_keeps_to_its_own_request_whatever_failed_since(database: Database) -> None:
    first = start(database)
    _fail(database, first)
    _fail(database, start(database, context={"sujet": "tarifs"}))

    retried = _retry(database, first["run_id"])["run_id"]

    asked = request_of(database, retried)
    assert (asked["context"], asked["retry_of"]) == ({}, first["run_id"])


def test_a_run_in_flight_that_was_asked_something_else_is_no_retry(database: Database) -> None:
    claimed = start(database, context={"sujet": "tarifs"})
    _fail(database, claimed)
    request(database.sql, context={"sujet": "autre"})

    assert _retry(database, claimed["run_id"])["reason"] == "already_running, other context"
    settle(database.sql, claim_one(database.sql))
    assert _states(database) == {claimed["run_id"]: "pending"}


def _end_with(database: Database, code: str) -> None:
    """End one run with that code: by hand, by the rescue, or as a worker settles it."""
    if code == "cancelled":
        database.one("select hq.cancel_run(%s)", request(database.sql)["run_id"])
    elif code == "ended_by_hand":
        start(database)
        database.run("update hq.runs set status = 'failed'")
        rescue(database.sql)
    elif code == "run_stuck":
        database.run(
            "insert into hq.runs (run_type, status, created_at) "
            "values ('SEO_AUDIT', 'running', now() - interval '1 hour')"
        )
        rescue(database.sql)
    else:
        _fail(database, _start_handed_back(database), appendix={"error_code": code})


def _start_handed_back(database: Database) -> Row:
    """Take a run that went back to the queue as often as it may, so that no newer worker is waited for any longer."""
    claimed = start(database)
    database.run("update hq.run_requests set hand_backs = 16")
    return claimed


def test_a_letter_is_kept_exactly_of_what_the_list_of_codes_says(clone: Callable[[str], Database]) -> None:
    hq = clone("head_hq")
    promised = {row["code"]: row["lettre_morte"] for row in hq.rows("select * from hq.list_failure_codes()")}
    kept = {}

    for code in promised:
        _end_with(hq, code)
        (logged,) = hq.rows(
            "delete from hq.structured_logs where message in ('run.failed', 'run.cancelled') "
            "returning coalesce(metadata ->> 'error_code', 'cancelled') as code"
        )
        assert logged["code"] == code
        hq.run("delete from hq.runs")
        kept[code] = bool(hq.rows("delete from hq.runs_dlq returning id"))

    assert kept == promised


def _host_letter(service: Connection, run_id: UUID, **letter: Any) -> None:
    """Keep a letter as the host's old function does, which writes down no request."""
    service.execute(
        "select public.enqueue_dlq_run(%s, %s, %s, %s, %s)",
        [
            run_id,
            letter.get("run_type", "SEO_AUDIT"),
            letter.get("platform_key"),
            '{"breaker_state": "OPEN"}',
            "circuit_breaker_open",
        ],
    )


def _migrate_over_host_letters(hq: Database, service: Connection) -> tuple[UUID, UUID, UUID]:
    """Migrate a database whose old program had kept three letters: of a run, of none any more, one taken."""
    known: UUID = hq.one(
        "insert into hq.runs (run_type, platform_key, status, created_at, completed_at) values "
        "('SEO_AUDIT', 'emotionscare', 'completed', now() - interval '3 days', now() - interval '3 days') returning id"
    )["id"]
    gone, taken = uuid4(), uuid4()
    _host_letter(service, taken)
    hq.run("update hq.runs_dlq set next_retry_at = now()")
    assert len(service.execute("select * from public.get_dlq_pending(20)").fetchall()) == 1
    _host_letter(service, known, platform_key="emotionscare")
    _host_letter(service, gone, run_type="CODE_REVIEW")
    hq.run("update hq.runs_dlq set next_retry_at = now() - interval '1 hour'")

    schema.apply(hq.url)
    return known, gone, taken


def test_the_letters_of_the_host_are_never_due_once_we_are_there(clone: Callable[[str], Database]) -> None:
    hq = clone("head")
    with hq.as_caller("service_role") as service:
        written = _migrate_over_host_letters(hq, service)

        assert service.execute("select * from public.get_dlq_pending(20)").fetchall() == []
    assert _states(hq) == dict.fromkeys(written, "pending")
    assert {row["execution"] for row in hq.rows("select * from hq.failures")} == set(written)
    assert all(row["raison"] and row["que_faire"] for row in hq.rows("select * from hq.failures"))
    assert _health(hq)["Échecs"]["etat"] == "green"


def test_a_letter_of_the_host_is_retried_by_a_person(clone: Callable[[str], Database]) -> None:
    hq = clone("head")
    with hq.as_caller("service_role") as service:
        known, gone, taken = _migrate_over_host_letters(hq, service)

    retried = {run_id: _retry(hq, run_id)["run_id"] for run_id in (known, gone)}
    under_way = _states(hq)
    for claimed in claim(hq.sql):
        settle(hq.sql, claimed)

    assert [run_of(hq, run_id)["platform_key"] for run_id in retried.values()] == ["emotionscare", None]
    assert [run_of(hq, run_id)["run_type"] for run_id in retried.values()] == ["SEO_AUDIT", "CODE_REVIEW"]
    assert under_way == {known: "in_progress", gone: "in_progress", taken: "pending"}
    assert _states(hq) == {known: "recovered", gone: "recovered", taken: "pending"}
    without = [] if has_extension(hq.cluster, "pg_cron") else ["pg_cron is not enabled"]
    assert [notice.partition(":")[0] for notice in schema.apply(hq.url).notices] == without
    assert _states(hq) == {known: "recovered", gone: "recovered", taken: "pending"}


def test_a_letter_that_the_host_writes_later_is_reported_until_the_next_migration(database: Database) -> None:
    with database.as_caller("service_role") as service:
        _host_letter(service, uuid4())
    reported = database.one("select state, detail from hq.inspect_host() where code = 'dead_letters_due'")
    said = _health(database)["Lettres mortes échues"]["etat"]
    schema.apply(database.url)

    assert (reported["state"], said) == ("amber", "amber")
    assert reported["detail"].startswith("1 are due")
    assert database.rows("select * from hq.inspect_host() where code = 'dead_letters_due'") == []


@pytest.mark.parametrize("change", ["drop column next_retry_at", "add check (next_retry_at < '3000-01-01')"])
def test_what_the_host_makes_of_its_letters_stops_no_migration(change: str, database: Database) -> None:
    with database.as_caller("service_role") as service:
        _host_letter(service, uuid4())
    database.run(f"alter table hq.runs_dlq {change}")

    assert any("left as they are" in notice for notice in schema.apply(database.url).notices)


@pytest.mark.parametrize(
    "change",
    ["add check (run_type <> 'SEO_AUDIT')", "drop column failure_reason"],
)
def test_what_the_host_makes_of_its_table_undoes_no_settlement(change: str, database: Database) -> None:
    database.run(f"alter table hq.runs_dlq {change}")
    claimed = start(database)

    _fail(database, claimed)

    assert run_of(database, claimed["run_id"])["status"] == "failed"
    assert len(logs_of(database, claimed["run_id"], "dlq.refused")) == 1


# ── hq.workers, hq.costs_by_platform, hq.health ──────────────────────────────────────────────


def test_the_workers_say_who_lives_and_who_listens(database: Database) -> None:
    _beat(database, "live")
    _beat(database, "degraded (polling)", seconds_ago=120)
    _beat(database, "ahead", seconds_ago=-7200)  # died before the clock was put back
    database.run("update hq.worker_heartbeats set worker_id = 'worker-1' where realtime = 'live'")
    start(database)

    ahead, alive, silent = database.rows("select * from hq.workers")

    assert ahead["etat"] == "muet"
    assert (alive["etat"], alive["realtime"], alive["charge"]) == ("vivant", "en direct", "1/10")
    assert (silent["etat"], silent["vu_il_y_a_s"]) == ("muet", 120)
    assert (ahead["realtime"], silent["realtime"]) == ("-", "-")
    database.run("update hq.worker_heartbeats set realtime = 'degraded (polling)' where worker_id = 'worker-1'")
    degraded = database.one("select realtime from hq.workers where etat = 'vivant'")
    assert degraded["realtime"].startswith("dégradé")


def test_the_costs_of_a_platform_are_those_of_its_month_in_paris(database: Database) -> None:
    settle(database.sql, start(database, platform_key="emotionscare"), usage=USAGE)
    settle(database.sql, start(database, "CODE_REVIEW"), usage=USAGE | {"estimated": True})
    database.run("update hq.run_costs set created_at = '2026-10-31 23:30:00+00'")

    lines = database.rows("select * from hq.costs_by_platform")

    assert {row["mois"] for row in lines} == {"2026-11"}
    reported = {
        row["plateforme"]: (row["executions"], str(row["cout_eur"]), str(row["dont_estime_eur"])) for row in lines
    }
    assert reported == {"emotionscare": (1, "0.0125", "0.0000"), "(toutes)": (1, "0.0125", "0.0125")}


@pytest.mark.parametrize("template", ["seed_hq", "head_hq"])
def test_health_says_every_check_in_french(template: str, clone: Any) -> None:
    hq = clone(template)

    checks = _health(hq)
    examined = hq.rows("select * from public.inspect_hq_backend_v2() where code <> 'host_fault'")

    assert len(checks) == len(examined) + 7
    assert {row["etat"] for row in checks.values()} <= {"green", "amber", "red"}
    assert not [row for row in checks.values() if row["phrase"] == "Voir le détail."]
    assert checks["Ouvriers"]["etat"] == "red"
    assert next(iter(checks)) == "Ouvriers", "the worst comes first"


@pytest.mark.parametrize(
    ("change", "check", "etat", "phrase"),
    [
        ("select hq.pause_runs('travaux')", "Pause", "amber", "hq.resume_runs()"),
        ("update hq.worker_heartbeats set realtime = 'degraded (polling)'", "Realtime", "amber", "rebranche"),
        (
            "update hq.worker_heartbeats set realtime = 'degraded (polling)', realtime_fault = 'PrivateOnly'",
            "Realtime",
            "amber",
            "« Allow public access »",
        ),
        (
            "select public.write_hq_log('warn', 'executive-run', 'model.retired', '{}')",
            "Modèles d'IA",
            "amber",
            "Modèle retiré",
        ),
        ("delete from hq.worker_heartbeats", "Ouvriers", "red", "Fly.io"),
        ("update hq.run_queue set run_at = now() - interval '2 min'", "File d'attente", "amber", "hq.queue"),
    ],
)
def test_health_turns_when_something_does(change: str, check: str, etat: str, phrase: str, database: Database) -> None:
    _beat(database)
    request(database.sql)
    before = _health(database)
    database.run(change)

    after = _health(database)

    assert before[check]["etat"] == "green"
    assert after[check]["etat"] == etat
    assert phrase in after[check]["phrase"]


def test_a_date_out_of_all_bounds_costs_neither_the_workers_nor_a_timeline(database: Database) -> None:
    _beat(database)
    claimed = start(database)
    settle(database.sql, claimed, steps=[step()])
    database.run("update hq.worker_heartbeats set seen_at = '4000-01-01 BC'")
    database.run("update hq.run_steps set started_at = '-infinity', completed_at = 'infinity'")

    assert database.one("select vu_il_y_a_s from hq.workers")["vu_il_y_a_s"] == 999_999_999
    assert database.rows("select * from hq.timeline(%s)", claimed["run_id"])


def test_health_counts_failures_the_dead_letters_and_the_breaker(database: Database) -> None:
    _fail(database, start(database), appendix={"error_code": "breaker_open"})

    checks = _health(database)

    assert [checks[name]["etat"] for name in ("Échecs", "Lettres mortes", "Disjoncteur")] == ["amber"] * 3
    assert checks["Lettres mortes"]["detail"] == "en attente 1, relancées 0"


def test_health_follows_the_budget(database: Database) -> None:
    configure(database, "ai_budget", {"monthly_target_eur": 0})
    assert _health(database)["Budget IA"]["etat"] == "red"
    configure(database, "ai_budget", {"monthly_target_eur": 200})
    assert _health(database)["Budget IA"]["etat"] == "green"


@pytest.mark.parametrize(
    ("key", "odd", "right", "check"),
    [
        ("ai_budget", {"monthly_target_eur": "250"}, {"monthly_target_eur": 250}, "Budget IA"),
        ("ai_budget", {"alert_threshold_pct": 800}, {"alert_threshold_pct": 90.5}, "Budget IA"),
        ("ai_budget", 250, {}, "Budget IA"),
        ("ai_budget", {"target": 100}, {"monthly_target_eur": 33.333, "alert_threshold_pct": 66.6666}, "Budget IA"),
        ("runs_paused", {"paused": "oui"}, {"paused": False}, "Pause"),
        ("runs_paused", "oui", False, "Pause"),
        ("runs_paused", "true", {"paused": "false"}, "Pause"),
    ],
)
def test_health_tells_of_a_setting_that_is_not_applied_as_it_stands(
    key: str, odd: object, right: object, check: str, database: Database
) -> None:
    configure(database, key, odd)
    reported = _health(database)[check]
    configure(database, key, right)
    after = _health(database)[check]

    assert reported["etat"] == "amber"
    assert f"Le réglage {key} est illisible" in reported["phrase"]
    assert after["etat"] == "green"


def test_health_sees_the_hosts_purge_under_our_name(database: Database) -> None:
    need_extension(database.cluster, "pg_cron")
    database.run("select cron.schedule('purge-old-hq-logs', '0 3 * * *', 'select hq.purge_old_logs()')")

    line = _health(database)["Tâche pg_cron purge-old-hq-logs"]

    assert line["etat"] == "red"
    assert "emocare migrate" in line["phrase"]
