"""A request that an owner makes through a worker: the one entry point, and the run is that worker's at once."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from support.calls import (
    call,
    claim,
    claim_one,
    logs_of,
    lose_lease,
    make_owner,
    pass_time,
    queue_of,
    race,
    refused,
    request,
    request_of,
    run_of,
    settle,
    step,
)
from support.database import OWNER, VIEWER, Connection, Database, Row

from shared.registry import RUN_TYPES


def ask(session: Connection, run_type: str = "SEO_AUDIT", /, **params: object) -> Row:
    """Ask as a worker does for the owner in front of it."""
    given = {"requester": OWNER, "worker_id": "worker-1", "lease_seconds": 30} | params
    (accepted,) = call(session, "request_and_claim_hq_run", run_type=run_type, **given)
    return accepted


def test_a_new_run_is_made_and_is_the_workers_at_once(database: Database, service: Connection) -> None:
    accepted = ask(service, platform_key="nearvity", context={"a": 1})

    run_id = accepted["run_id"]
    assert (accepted["status"], accepted["created"], accepted["reason"]) == ("running", True, "created")
    run, queue, asked = run_of(database, run_id), queue_of(database, run_id), request_of(database, run_id)
    assert queue is not None
    assert (run["status"], run["owner_requested"], queue["worker_id"]) == ("running", True, "worker-1")
    assert run["started_at"] is not None
    assert (asked["requester"], asked["trigger"], asked["context"]) == (str(OWNER), "manual", {"a": 1})
    assert [line["message"] for line in logs_of(database, run_id)] == ["run.started"]
    assert claim(database.sql) == []


def test_its_claim_says_what_every_claim_says_and_brings_the_platform(database: Database, service: Connection) -> None:
    request(database.sql, "CODE_REVIEW")
    usual = claim_one(database.sql)

    accepted = ask(service, platform_key="nearvity")["claim"]

    assert set(accepted) == {*usual, "platforms"}
    assert (accepted["requester"], accepted["attempt"], accepted["checkpoints"]) == (str(OWNER), 1, {})
    assert accepted["lease_token"] > usual["lease_token"]
    platforms = call(database.sql, "read_hq_platforms_v2", platform_key="nearvity")
    assert [platform["key"] for platform in accepted["platforms"]] == ["nearvity"]
    assert set(accepted["platforms"][0]) == set(platforms[0])


def test_a_run_of_the_whole_company_brings_every_platform(database: Database, service: Connection) -> None:
    names = [platform["name"] for platform in ask(service)["claim"]["platforms"]]

    assert names == [row["name"] for row in call(database.sql, "read_hq_platforms_v2")]
    assert len(names) > 3


def test_the_claim_can_be_settled(database: Database, service: Connection) -> None:
    accepted = ask(service)

    assert settle(service, accepted["claim"]) == "completed"
    assert run_of(database, accepted["run_id"])["status"] == "completed"


def test_without_a_worker_the_run_waits_for_one(database: Database, service: Connection) -> None:
    accepted = ask(service, worker_id=None)

    assert (accepted["status"], accepted["claim"]) == ("pending", None)
    assert claim_one(database.sql)["run_id"] == accepted["run_id"]


def test_a_run_that_another_worker_has_is_answered_and_stays_its_own(database: Database, service: Connection) -> None:
    first = ask(service)

    second = ask(service, worker_id="worker-2")

    assert (second["run_id"], second["status"]) == (first["run_id"], "running")
    assert (second["created"], second["reason"], second["claim"]) == (False, "already_running", None)
    queue = queue_of(database, first["run_id"])
    assert queue is not None
    assert (queue["worker_id"], queue["lease_token"]) == ("worker-1", first["claim"]["lease_token"])


def test_a_retry_that_waits_is_started_with_what_it_has_done(service: Connection) -> None:
    first = ask(service)["claim"]
    steps = [step(output={"seen": 1})]
    assert settle(service, first, "retry", steps=steps, retry_in_seconds=600) == "pending"

    again = ask(service, worker_id="worker-2")

    assert (again["reason"], again["status"]) == ("already_running", "running")
    assert (again["claim"]["attempt"], again["claim"]["checkpoints"]) == (2, {"Collecte": {"seen": 1}})


def test_what_another_session_is_taking_is_left_to_it(service: Connection, other: Connection) -> None:
    run_id = ask(service, worker_id=None)["run_id"]

    with other.transaction():
        other.execute("select from hq.run_queue where run_id = %s for no key update", [run_id])
        accepted = ask(service)

    assert (accepted["run_id"], accepted["status"], accepted["claim"]) == (run_id, "pending", None)


def test_a_just_settled_run_is_answered_and_not_done_again(database: Database, service: Connection) -> None:
    accepted = ask(service)
    settle(service, accepted["claim"])

    again = ask(service)

    assert (again["run_id"], again["reason"], again["claim"]) == (accepted["run_id"], "just_settled", None)
    pass_time(database, 11)
    assert ask(service)["created"]


@pytest.mark.parametrize("requester", [VIEWER, uuid4(), None])
def test_only_an_owner_can_be_asked_for(requester: Any, database: Database, service: Connection) -> None:
    with refused("HQ001") as caught:
        ask(service, requester=requester)

    assert "présidence" in str(caught.value)
    assert not database.rows("select from hq.runs")


def test_it_is_the_same_door_as_the_owners_own(database: Database, service: Connection, owner: Connection) -> None:
    by_token = request(owner, "SEO_AUDIT", idempotency_key="click")

    by_worker = ask(service, "SEO_AUDIT", idempotency_key="click")

    assert (by_worker["run_id"], by_worker["created"]) == (by_token["run_id"], False)
    assert by_worker["reason"] == "replayed"
    with refused("HQ007"):
        ask(service, "CODE_REVIEW", idempotency_key="click")
    another_owner = ask(service, "CODE_REVIEW", idempotency_key="click", requester=make_owner(database))
    assert another_owner["created"]


def test_the_limit_counts_what_an_owner_asked_by_either_way(
    database: Database, service: Connection, owner: Connection
) -> None:
    types = list(RUN_TYPES)[:15]
    for run_type in types:
        request(owner, run_type, platform_key="nearvity")
        ask(service, run_type, platform_key="med-mng", worker_id=None)

    with refused("HQ004"):
        ask(service, "SEO_AUDIT", platform_key="emotionscare")
    assert ask(service, "SEO_AUDIT", platform_key="emotionscare", requester=make_owner(database))["created"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"run_type": "MAKE_COFFEE"}, "HQ002"),
        ({"platform_key": "atlantis"}, "HQ003"),
        ({"context": {"a": "x" * 40_000}}, "HQ005"),
        ({"idempotency_key": "x" * 201}, "HQ005"),
    ],
)
def test_a_request_that_could_not_become_a_run_is_refused(
    params: Row, code: str, database: Database, service: Connection
) -> None:
    params = dict(params)
    with refused(code):
        ask(service, params.pop("run_type", "SEO_AUDIT"), **params)

    assert not database.rows("select from hq.run_queue")


def test_ten_workers_asked_at_once_make_one_run_of_one_worker(database: Database) -> None:
    answers = race(
        lambda: database.as_caller("service_role"),
        [partial(ask, worker_id=f"worker-{n}") for n in range(10)],
    )

    assert len({answer["run_id"] for answer in answers}) == 1
    assert [answer["claim"] is not None for answer in answers].count(True) == 1
    assert [answer["created"] for answer in answers].count(True) == 1


def test_its_lease_runs_out_like_any_other(database: Database, service: Connection) -> None:
    accepted = ask(service)

    lose_lease(database)

    assert claim_one(database.sql)["run_id"] == accepted["run_id"]
    assert settle(service, accepted["claim"]) == "lost"


def _ask_and_read(session: Connection, reads: Row, **params: object) -> Row:
    given = {"requester": OWNER, "worker_id": "worker-1", "run_type": "SEO_AUDIT", "reads": reads} | params
    (accepted,) = call(session, "request_and_claim_hq_run_v2", **given)
    return accepted


def test_what_the_report_reads_comes_along_where_the_worker_names_it(service: Connection) -> None:
    reads: Row = {"platforms": {}, "past": {}, "contacts": {}, "unknown": {}}

    accepted = _ask_and_read(service, reads, platform_key="nearvity")["claim"]

    brought = {row["kind"]: row for row in accepted["inputs"]}
    assert "platforms" not in accepted
    assert set(brought) == set(reads)
    assert [platform["key"] for platform in brought["platforms"]["data"]] == ["nearvity"]
    assert brought["unknown"]["error"] == "42704"


def test_a_read_that_fails_costs_itself_and_never_the_request(database: Database, service: Connection) -> None:
    database.run("drop table public.analytics_events cascade")
    database.run("create view public.analytics_events as select 1 / 0 as event_type")

    accepted = _ask_and_read(service, {"audience": {}, "platforms": {}})

    assert accepted["status"] == "running"
    failed = {row["kind"]: row["error"] for row in accepted["claim"]["inputs"]}
    assert failed["audience"] is not None
    assert failed["platforms"] is None
