"""The one entry point: who may ask, for what, how often, and what is written when a request is accepted."""

import json
from functools import partial

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support.calls import claim_one, make_owner, pass_time, queue_of, race, refused, request, request_of, run_of
from support.database import OWNER, VIEWER, Connection, Database

from shared.registry import RUN_TYPES

PLATFORMS = ("emotionscare", "nearvity", "med-mng")


# Who may ask.


@pytest.mark.parametrize("caller", ["sql", "service", "owner"])
def test_the_service_the_owner_and_sql_may_ask(
    caller: str, database: Database, service: Connection, owner: Connection
) -> None:
    session = {"sql": database.sql, "service": service, "owner": owner}[caller]

    ticket = request(session)

    assert (ticket["status"], ticket["created"], ticket["reason"]) == ("pending", True, "created")
    assert request_of(database, ticket["run_id"])["requester"] == (str(OWNER) if caller == "owner" else caller)


def test_anon_is_refused(database: Database) -> None:
    with database.as_caller("anon") as anon, refused("42501"):
        request(anon)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"role": "authenticated", "sub": str(VIEWER)}, id="a viewer"),
        pytest.param({"role": "authenticated"}, id="a token without subject"),
        pytest.param({"role": "authenticated", "sub": str(OWNER).replace("1", "9")}, id="nobody that we know"),
        pytest.param({"role": "dashboard_user", "sub": str(OWNER)}, id="a foreign role with the owner's subject"),
        pytest.param({"role": "anon", "sub": str(OWNER)}, id="anon with the owner's subject"),
        pytest.param({"sub": str(OWNER)}, id="no role"),
        pytest.param(None, id="no claims at all, through PostgREST"),
    ],
)
def test_everybody_else_is_refused_and_leaves_no_trace(
    claims: dict[str, str] | None, database: Database, viewer: Connection
) -> None:
    viewer.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims) if claims else ""])

    with refused("HQ001") as caught:
        request(viewer)

    assert "présidence" in str(caught.value)
    assert not database.rows("select * from hq.runs")


def test_an_owner_does_not_choose_trigger_priority_or_who_asked(database: Database, owner: Connection) -> None:
    run_id = request(owner, trigger="schedule", priority=1000)["run_id"]

    queue = queue_of(database, run_id)
    assert queue is not None
    assert queue["priority"] == 0
    assert request_of(database, run_id)["trigger"] == "manual"
    assert run_of(database, run_id)["owner_requested"]


def test_the_service_chooses_trigger_and_priority(database: Database, service: Connection) -> None:
    run_id = request(service, trigger="schedule", priority=5)["run_id"]

    queue = queue_of(database, run_id)
    assert queue is not None
    assert queue["priority"] == 5
    assert request_of(database, run_id)["trigger"] == "schedule"
    assert not run_of(database, run_id)["owner_requested"]


# For what.


@pytest.mark.parametrize(
    "run_type", ["toString", "__proto__", "constructor", "", " ", None, "seo_audit", "SEO_AUDIT ", "X" * 5000]
)
def test_an_unknown_type_is_refused(run_type: str | None, database: Database) -> None:
    with refused("HQ002") as caught:
        request(database.sql, run_type)

    assert len(str(caught.value.diag.message_primary)) < 200
    assert not database.rows("select * from hq.run_queue")


def test_an_unknown_platform_is_refused(database: Database) -> None:
    with refused("HQ003"):
        request(database.sql, platform_key="atlantis")


@pytest.mark.parametrize("platform", ["", "  ", None])
def test_a_blank_platform_is_no_platform(platform: str | None, database: Database) -> None:
    assert run_of(database, request(database.sql, platform_key=platform)["run_id"])["platform_key"] is None


@pytest.mark.parametrize("trigger", ["schedule", "autopilot", "anything"])
def test_a_sensitive_run_starts_only_because_a_person_asked(trigger: str, database: Database) -> None:
    with refused("HQ001"):
        request(database.sql, "PRICING_CHANGE", trigger=trigger)
    assert request(database.sql, "PRICING_CHANGE", trigger="manual")["created"]


def test_a_context_of_more_than_32_kib_is_refused(database: Database) -> None:
    largest = {"t": "x" * (32 * 1024 - len('{"t": ""}'))}

    assert request(database.sql, context=largest)["created"]
    with refused("HQ005"):
        request(database.sql, "CODE_REVIEW", context={"t": largest["t"] + "x"})


def test_the_size_of_a_context_is_counted_in_bytes(database: Database) -> None:
    with refused("HQ005"):
        request(database.sql, context={"t": "é" * 20_000})


def test_an_idempotency_key_of_more_than_200_bytes_is_refused(database: Database) -> None:
    assert request(database.sql, idempotency_key="k" * 200)["created"]
    with refused("HQ005"):
        request(database.sql, "CODE_REVIEW", idempotency_key="k" * 201)


@pytest.mark.parametrize("context", [None, Jsonb(None), {}])
def test_no_context_is_an_empty_one(context: object, database: Database) -> None:
    assert request_of(database, request(database.sql, context=context)["run_id"])["context"] == {}


# What is written.


def test_an_accepted_request_is_one_pending_run_in_the_queue(database: Database, service: Connection) -> None:
    run_id = request(service, "CODE_REVIEW", platform_key=" nearvity ", context={"focus": "RLS"})["run_id"]

    run, queue, asked = run_of(database, run_id), queue_of(database, run_id), request_of(database, run_id)
    assert queue is not None
    assert (run["run_type"], run["platform_key"], run["status"]) == ("CODE_REVIEW", "nearvity", "pending")
    assert (run["started_at"], run["completed_at"]) == (None, None)
    assert (queue["attempt"], queue["max_attempts"], queue["worker_id"]) == (0, 3, None)
    assert queue["run_at"] == run["created_at"]
    assert (asked["context"], asked["forced"]) == ({"focus": "RLS"}, False)


@pytest.mark.parametrize(("caller", "actor"), [("owner", ("owner", str(OWNER))), ("service", ("system", "service"))])
def test_an_accepted_request_is_audited(
    caller: str, actor: tuple[str, str], database: Database, service: Connection, owner: Connection
) -> None:
    session = owner if caller == "owner" else service
    ticket = request(session, platform_key="nearvity")
    request(session, platform_key="nearvity")

    (audit,) = database.rows("select * from hq.audit_logs where action = 'executive_run.requested'")
    assert (audit["actor_type"], audit["actor_id"]) == actor
    assert (audit["resource_type"], audit["resource_id"]) == ("run", str(ticket["run_id"]))
    assert audit["details"] == {"run_type": "SEO_AUDIT", "platform_key": "nearvity", "trigger": "manual"}


def test_each_run_is_given_to_the_agent_who_signs_it(database: Database) -> None:
    for run_type in RUN_TYPES.values():
        run = run_of(database, request(database.sql, run_type.key)["run_id"])

        agent = database.one("select name from hq.agents where id = %s", run["director_agent_id"])
        assert agent["name"] == run_type.agent.name


def test_a_run_whose_agent_is_switched_off_has_none(database: Database) -> None:
    database.run("update hq.agents set is_enabled = false where role_key = 'CMO'")

    assert run_of(database, request(database.sql, "SEO_AUDIT")["run_id"])["director_agent_id"] is None


# How often.


def test_a_person_makes_at_most_30_runs_in_5_minutes_forced_ones_included(owner: Connection) -> None:
    for _ in range(30):
        assert request(owner, force=True)["created"]

    with refused("HQ004") as caught:
        request(owner, force=True)
    assert "Patientez" in str(caught.value)


def test_a_run_leaves_the_limit_5_minutes_after_it_was_asked(database: Database, owner: Connection) -> None:
    runs = [request(owner, force=True)["run_id"] for _ in range(30)]
    database.run("update hq.run_requests set created_at = created_at - interval '5 minutes' where run_id = %s", runs[0])

    assert request(owner, force=True)["created"]
    with refused("HQ004"):
        request(owner, force=True)


def test_the_limit_of_one_person_is_not_anothers(database: Database, owner: Connection, service: Connection) -> None:
    for _ in range(30):
        request(owner, force=True)

    with database.as_caller("authenticated", make_owner(database)) as second:
        assert request(second, force=True)["created"]
    assert request(service, force=True)["created"]
    with refused("HQ004"):
        request(owner, force=True)


def test_a_refused_request_keeps_neither_key_nor_place(database: Database, owner: Connection) -> None:
    for _ in range(30):
        request(owner, "CODE_REVIEW", force=True)
    with refused("HQ004"):
        request(owner, idempotency_key="once")
    pass_time(database, 301)

    assert request(owner, idempotency_key="once")["created"]


def test_requests_sent_together_never_exceed_the_limit(database: Database) -> None:
    distinct = [(run_type, platform) for run_type in RUN_TYPES for platform in PLATFORMS][:40]

    def ask(run_type: str, platform: str, session: Connection) -> str:
        try:
            return str(request(session, run_type, platform_key=platform)["run_id"])
        except psycopg.Error as error:
            return str(error.sqlstate)

    sessions = partial(database.as_caller, "authenticated", OWNER)
    answers = race(sessions, [partial(ask, *pair) for pair in distinct])

    assert answers.count("HQ004") == 10
    assert len(set(answers)) == 31
    assert database.one("select count(*) as n from hq.runs")["n"] == 30


def test_what_an_owner_asked_for_is_what_a_worker_is_given(database: Database, owner: Connection) -> None:
    run_id = request(owner, "CODE_REVIEW", platform_key="nearvity", context={"focus": "RLS"})["run_id"]

    claimed = claim_one(database.sql)

    assert claimed["run_id"] == run_id
    assert (claimed["run_type"], claimed["platform_key"]) == ("CODE_REVIEW", "nearvity")
    assert (claimed["trigger"], claimed["requester"], claimed["context"]) == ("manual", str(OWNER), {"focus": "RLS"})


def test_a_person_at_the_limit_may_still_join_a_run_in_flight(owner: Connection) -> None:
    in_flight = request(owner, "SEO_AUDIT")
    for _ in range(29):
        request(owner, "SEO_AUDIT", force=True)

    joined = request(owner, "SEO_AUDIT")

    assert (joined["run_id"], joined["reason"]) == (in_flight["run_id"], "already_running")


def test_an_operator_asks_with_the_short_name(database: Database) -> None:
    asked = database.one("select * from hq.request_run('SEO_AUDIT', 'emotionscare')")

    assert asked["created"]
    assert database.one("select platform_key from hq.runs")["platform_key"] == "emotionscare"


@pytest.mark.parametrize(
    "context",
    ["[" * 40 + "]" * 40, "[" * 5_000 + "]" * 5_000, '{"n": ' + "9" * 1_200 + "}"],
    ids=["deep", "abyss", "long"],
)
def test_a_context_that_a_reader_may_choke_on_is_refused(database: Database, context: str) -> None:
    with pytest.raises(psycopg.errors.Error) as refused:
        database.rows("select * from public.request_hq_run('SEO_AUDIT', null, %s::jsonb)", context)

    assert refused.value.sqlstate == "HQ005"
    assert database.one("select count(*) as n from hq.runs")["n"] == 0
