"""Asked twice, run once: idempotency keys, one run in flight per type and platform, the answer that just came."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from support.calls import (
    claim,
    claim_one,
    make_owner,
    pass_time,
    queue_of,
    race,
    refused,
    request,
    request_of,
    settle,
    start,
    wait_until_blocked,
)
from support.database import Connection, Database


def _answer(ticket: dict[str, object]) -> tuple[object, ...]:
    return ticket["run_id"], ticket["status"], ticket["created"], ticket["reason"]


def _count_runs(database: Database) -> int:
    return int(database.one("select count(*) as n from hq.runs")["n"])


# Idempotency keys.


def test_a_replayed_key_gets_its_run_at_every_stage_of_its_life(database: Database) -> None:
    ask = partial(request, database.sql, idempotency_key="k", context={"focus": "RLS"})
    run_id = ask()["run_id"]

    assert _answer(ask()) == (run_id, "pending", False, "replayed")
    claimed = claim_one(database.sql)
    assert _answer(ask()) == (run_id, "running", False, "replayed")
    settle(database.sql, claimed)
    pass_time(database, 86_400)
    assert _answer(ask()) == (run_id, "completed", False, "replayed")
    assert _count_runs(database) == 1


ASKED: dict[str, object] = {"platform_key": "nearvity", "context": {"focus": "RLS", "since": 1}}


@pytest.mark.parametrize(
    ("run_type", "change"),
    [
        ("CODE_REVIEW", {}),
        ("SEO_AUDIT", {"platform_key": None}),
        ("SEO_AUDIT", {"platform_key": "med-mng"}),
        ("SEO_AUDIT", {"context": {"focus": "RLS", "since": 2}}),
        ("SEO_AUDIT", {"context": {}}),
    ],
)
def test_a_key_is_refused_for_anything_else_than_it_was_used_for(
    run_type: str, change: dict[str, object], database: Database
) -> None:
    run_id = request(database.sql, idempotency_key="k", **ASKED)["run_id"]

    with refused("HQ007") as caught:
        request(database.sql, run_type, idempotency_key="k", **ASKED | change)

    assert "SEO_AUDIT, nearvity" in str(caught.value)
    assert _count_runs(database) == 1
    # How it is asked is no part of it, nor the order in which a program writes its fields.
    again = ASKED | {"context": {"since": 1, "focus": "RLS"}, "force": True, "priority": 5, "trigger": "retry"}
    assert _answer(request(database.sql, idempotency_key="k", **again)) == (run_id, "pending", False, "replayed")


def test_a_key_stands_for_what_was_asked_with_it_not_for_what_its_run_was_asked(database: Database) -> None:
    """A request may join a run that was asked something else, or take over what a failed run was asked."""
    run_id = request(database.sql, context={"focus": "RLS"})["run_id"]
    ask = partial(request, database.sql, idempotency_key="k", context={"focus": "costs"})
    assert ask()["reason"] == "already_running, other context"
    assert _answer(ask()) == (run_id, "pending", False, "replayed, other context")

    settle(database.sql, claim_one(database.sql), "failed")
    pass_time(database, 60)
    relaunch = partial(request, database.sql, idempotency_key="relaunch")
    relaunched = relaunch()
    assert request_of(database, relaunched["run_id"])["context"] == {"focus": "RLS"}
    assert _answer(relaunch()) == (relaunched["run_id"], "pending", False, "replayed")


def test_a_key_of_an_earlier_release_is_compared_with_its_run(database: Database) -> None:
    run_id = request(database.sql, idempotency_key="k", context={"focus": "RLS"})["run_id"]
    database.run("update hq.request_keys set asked = null")

    assert _answer(request(database.sql, idempotency_key="k")) == (run_id, "pending", False, "replayed")
    with refused("HQ007"):
        request(database.sql, "CODE_REVIEW", idempotency_key="k")


def test_a_key_is_its_requesters_own(database: Database, owner: Connection, service: Connection) -> None:
    with database.as_caller("authenticated", make_owner(database)) as second:
        requesters = (owner, second, service, database.sql)
        tickets = [request(session, idempotency_key="k", force=True) for session in requesters]
        replays = [request(session, idempotency_key="k", force=True) for session in requesters]

    assert len({ticket["run_id"] for ticket in tickets}) == 4
    assert [_answer(replay) for replay in replays] == [
        (ticket["run_id"], "pending", False, "replayed") for ticket in tickets
    ]


def test_a_request_that_joins_a_run_has_a_key_of_its_own_to_replay(
    database: Database, owner: Connection, service: Connection
) -> None:
    run_id = request(owner, idempotency_key="first")["run_id"]
    joined = request(service, idempotency_key="second")
    settle(database.sql, claim_one(database.sql))
    pass_time(database, 60)

    assert _answer(joined) == (run_id, "pending", False, "already_running")
    assert _answer(request(service, idempotency_key="second")) == (run_id, "completed", False, "replayed")


def test_a_request_answered_by_a_run_that_just_ended_has_a_key_to_replay(database: Database) -> None:
    claimed = start(database)
    settle(database.sql, claimed)
    request(database.sql, idempotency_key="k")
    pass_time(database, 60)

    assert _answer(request(database.sql, idempotency_key="k")) == (claimed["run_id"], "completed", False, "replayed")


def test_an_empty_key_is_no_key(database: Database) -> None:
    first = request(database.sql, idempotency_key="", force=True)
    second = request(database.sql, idempotency_key="", force=True)

    assert first["run_id"] != second["run_id"]


def test_sessions_racing_with_one_key_make_one_run_even_by_force(database: Database) -> None:
    tickets = race(database.connect, [partial(request, idempotency_key="k", force=True)] * 10)

    assert len({ticket["run_id"] for ticket in tickets}) == 1
    assert sorted(ticket["reason"] for ticket in tickets) == ["created"] + ["replayed"] * 9
    assert _count_runs(database) == 1


@pytest.mark.parametrize("params", [{"idempotency_key": "k", "force": True}, {}], ids=["same key", "same subject"])
@pytest.mark.parametrize("first_commits", [True, False])
def test_a_request_waits_for_the_same_one_under_way_and_goes_by_its_end(
    params: dict[str, object],
    database: Database,
    other: Connection,
    background: ThreadPoolExecutor,
    *,
    first_commits: bool,
) -> None:
    with database.sql.transaction(force_rollback=not first_commits):
        first = request(database.sql, **params)
        second = background.submit(request, other, **params)
        wait_until_blocked(database, other)
    ticket = second.result()

    assert (ticket["run_id"] == first["run_id"]) is first_commits
    assert ticket["created"] is not first_commits
    assert _count_runs(database) == 1


# One run in flight per type and platform.


def test_a_second_request_joins_the_run_in_flight(database: Database, owner: Connection, service: Connection) -> None:
    run_id = request(owner, context={"focus": "RLS"})["run_id"]

    assert _answer(request(service)) == (run_id, "pending", False, "already_running")
    claim_one(database.sql)
    assert _answer(request(service, context={"focus": "RLS"})) == (run_id, "running", False, "already_running")
    assert _count_runs(database) == 1


def test_a_joined_request_that_wanted_another_context_is_told_so(database: Database) -> None:
    request(database.sql, context={"focus": "RLS"})

    ticket = request(database.sql, context={"focus": "SEO"})

    assert (ticket["created"], ticket["reason"]) == (False, "already_running, other context")
    assert request_of(database, ticket["run_id"])["context"] == {"focus": "RLS"}


def test_types_and_platforms_run_beside_each_other(database: Database) -> None:
    wanted = [("SEO_AUDIT", None), ("SEO_AUDIT", "nearvity"), ("SEO_AUDIT", "med-mng"), ("CODE_REVIEW", None)]

    tickets = [request(database.sql, run_type, platform_key=platform) for run_type, platform in wanted]

    assert all(ticket["created"] for ticket in tickets)


def test_thirty_sessions_racing_for_the_same_run_make_one(database: Database) -> None:
    tickets = race(database.connect, [partial(request, platform_key="nearvity")] * 30)

    assert len({ticket["run_id"] for ticket in tickets}) == 1
    assert sorted(ticket["reason"] for ticket in tickets) == ["already_running"] * 29 + ["created"]
    assert _count_runs(database) == 1


def test_force_makes_another_run(database: Database) -> None:
    first = request(database.sql)

    forced = request(database.sql, force=True)

    assert forced["created"]
    assert forced["run_id"] != first["run_id"]
    assert request_of(database, forced["run_id"])["forced"]


@pytest.mark.parametrize(("trigger", "claimable"), [("manual", 1), ("schedule", 0)])
def test_only_a_person_waiting_makes_a_delayed_retry_start_now(
    trigger: str, claimable: int, database: Database
) -> None:
    claimed = start(database)
    settle(database.sql, claimed, "retry", retry_in_seconds=600)

    ticket = request(database.sql, trigger=trigger)

    assert _answer(ticket) == (claimed["run_id"], "pending", False, "already_running")
    assert len(claim(database.sql)) == claimable


@pytest.mark.parametrize(
    "hand",
    [
        "update hq.runs set status = 'cancelled'",
        "update hq.runs set status = 'failed', completed_at = now() - interval '1 day'",
        "delete from hq.runs",
    ],
)
@pytest.mark.parametrize("stage", ["waiting", "running"])
def test_a_run_ended_by_hand_does_not_block_the_next(hand: str, stage: str, database: Database) -> None:
    run_id = request(database.sql)["run_id"]
    if stage == "running":
        claim_one(database.sql)
    database.run(hand)

    ticket = request(database.sql)

    assert ticket["created"]
    assert ticket["run_id"] != run_id
    assert queue_of(database, run_id) is None


# The answer that just came.


@pytest.mark.parametrize(("outcome", "seconds"), [("completed", 0), ("completed", 9), ("failed", 0), ("failed", 1)])
def test_the_same_request_as_a_run_that_just_ended_gets_that_run(
    outcome: str, seconds: int, database: Database
) -> None:
    claimed = start(database, platform_key="nearvity", context={"focus": "RLS"})
    settle(database.sql, claimed, outcome)
    pass_time(database, seconds)

    ticket = request(database.sql, platform_key="nearvity", context={"focus": "RLS"})

    assert _answer(ticket) == (claimed["run_id"], outcome, False, "just_settled")


def test_a_request_that_meets_the_end_of_the_run_gets_that_run(
    database: Database, other: Connection, background: ThreadPoolExecutor
) -> None:
    """A double click on a report that is quick: the second request comes while the first run is being settled."""
    claimed = start(database)

    with database.sql.transaction():
        settle(database.sql, claimed)
        second = background.submit(request, other)
        wait_until_blocked(database, other)

    assert _answer(second.result()) == (claimed["run_id"], "completed", False, "just_settled")
    assert _count_runs(database) == 1


@pytest.mark.parametrize(("outcome", "seconds"), [("completed", 10), ("failed", 2)])
def test_some_seconds_after_the_end_it_is_a_new_run(outcome: str, seconds: int, database: Database) -> None:
    """Longer after a report than after a failure, whose cause (a credit) may be removed in three seconds."""
    settle(database.sql, start(database), outcome)
    pass_time(database, seconds)

    assert request(database.sql)["created"]


@pytest.mark.parametrize(
    "params", [{"context": {"focus": "RLS"}}, {"platform_key": "nearvity"}, {"force": True}], ids=str
)
def test_another_request_is_a_new_run_at_once(params: dict[str, object], database: Database) -> None:
    settle(database.sql, start(database))

    assert request(database.sql, **params)["created"]


def test_another_persons_request_is_a_new_run_at_once(database: Database, owner: Connection) -> None:
    settle(database.sql, start(database))

    assert request(owner)["created"]


def test_a_cancelled_run_answers_nothing(database: Database) -> None:
    ticket = request(database.sql)
    database.rows("select public.cancel_hq_run(%s)", ticket["run_id"])

    assert request(database.sql)["created"]


# Relaunching what failed.


def _end(database: Database, outcome: str, **params: object) -> None:
    settle(database.sql, start(database, **params), outcome)
    pass_time(database, 60)


def test_a_relaunch_without_context_takes_the_failed_runs(database: Database, owner: Connection) -> None:
    _end(database, "failed", platform_key="nearvity", context={"focus": "RLS"})

    run_id = request(owner, platform_key="nearvity")["run_id"]

    assert request_of(database, run_id)["context"] == {"focus": "RLS"}


def test_only_the_latest_run_of_the_type_and_platform_is_relaunched(database: Database) -> None:
    _end(database, "failed", context={"focus": "RLS"})
    _end(database, "completed", context={"focus": "SEO"})
    _end(database, "failed", platform_key="nearvity", context={"focus": "nearvity"})

    assert request_of(database, request(database.sql)["run_id"])["context"] == {}


@pytest.mark.parametrize(
    ("params", "seconds"),
    [({"context": {"focus": "SEO"}}, 60), ({"trigger": "schedule"}, 60), ({}, 86_400)],
    ids=["a context of its own", "nobody relaunches", "a day later"],
)
def test_otherwise_the_failed_context_is_left_alone(
    params: dict[str, object], seconds: int, database: Database
) -> None:
    _end(database, "failed", context={"focus": "RLS"})
    pass_time(database, seconds)

    run_id = request(database.sql, **params)["run_id"]

    assert request_of(database, run_id)["context"] == params.get("context", {})
