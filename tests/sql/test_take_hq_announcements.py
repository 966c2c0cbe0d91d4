"""What is announced to open pages: constants, once per key, written in the transaction they announce."""

import json
from collections.abc import Sequence
from uuid import UUID

import pytest
from support.calls import expire, lose_lease, refused, rescue, run_of, settle, start
from support.database import Connection, Database, Row, rows

RUN_FAILED = {"message": "Une exécution a échoué. Son historique dit pourquoi et que faire.", "urgency": "high"}


def announce(session: Connection, key: str, kind: str = "approval_required") -> None:
    session.execute("select hq.announce(%s, %s)", (key, kind))


def take(
    session: Connection, *said: str, limit: int = 10, lease_seconds: float = 30, answered: Sequence[UUID] = ()
) -> list[Row]:
    query = "select * from public.take_hq_announcements_v2(%s::text[], %s, %s, %s::uuid[])"
    return rows(session, query, list(said), limit, lease_seconds, list(answered))


def fall_due(database: Database) -> None:
    """Let the ten seconds pass for which a failure waits for its answer."""
    database.run("update hq.announcements set due_at = due_at - interval '10 seconds'")


def keys(session: Connection, *said: str) -> list[str]:
    return [row["key"] for row in take(session, *said)]


@pytest.mark.parametrize(
    ("kind", "event", "payload"),
    [
        ("run_failed", "alert", json.dumps(RUN_FAILED, ensure_ascii=False)),
        (
            "approval_required",
            "approval_required",
            '{"title": "Une action attend votre approbation.", "risk_level": "high"}',
        ),
        (
            "budget_reached",
            "alert",
            '{"message": "Le budget IA du mois a atteint son seuil d\'alerte.", "urgency": "high"}',
        ),
    ],
)
def test_every_kind_is_one_constant(
    kind: str, event: str, payload: str, database: Database, service: Connection
) -> None:
    announce(database.sql, "a-key", kind)

    (taken,) = take(service)

    assert (taken["key"], taken["event"]) == ("a-key", event)
    assert database.one("select payload::text from hq.announcements")["payload"] == payload


@pytest.mark.parametrize("kind", ["made_up", None])
def test_what_there_is_no_sentence_for_is_refused(kind: str, database: Database) -> None:
    with refused("22023"):
        announce(database.sql, "a-key", kind)

    assert not database.rows("select from hq.announcements")


def test_a_key_is_announced_once(database: Database) -> None:
    announce(database.sql, "a-key")
    announce(database.sql, "a-key")

    assert keys(database.sql) == ["a-key"]
    assert keys(database.sql, "a-key") == []
    announce(database.sql, "a-key")
    assert keys(database.sql) == []


def test_what_is_undone_was_never_announced(database: Database) -> None:
    with database.sql.transaction(force_rollback=True):
        announce(database.sql, "a-key")

    assert keys(database.sql) == []


def test_what_was_taken_and_never_said_is_taken_again_later(database: Database) -> None:
    announce(database.sql, "a-key")

    assert keys(database.sql) == ["a-key"]
    assert take(database.sql) == []
    database.run("update hq.announcements set taken_until = now() - interval '1 second'")
    assert keys(database.sql) == ["a-key"]


def test_two_who_take_at_once_take_different_ones(database: Database, other: Connection) -> None:
    for key in "abc":
        announce(database.sql, key)

    with database.sql.transaction():
        mine = [row["key"] for row in take(database.sql, limit=2)]
        theirs = [row["key"] for row in take(other)]

    assert (mine, theirs) == (["a", "b"], ["c"])


def test_news_of_yesterday_are_no_news(database: Database) -> None:
    announce(database.sql, "a-key")
    database.run("update hq.announcements set created_at = now() - interval '25 hours'")

    assert take(database.sql) == []


# Runs that failed for good, whoever says so.


@pytest.mark.parametrize(("outcome", "reported"), [("completed", 0), ("retry", 0), ("failed", 1)])
def test_a_settlement_that_fails_for_good_is_announced(outcome: str, reported: int, database: Database) -> None:
    claimed = start(database)

    for _ in range(2):  # repeated after a lost answer
        settle(database.sql, claimed, outcome, summary="Un secret.", appendix={})
    fall_due(database)

    taken = take(database.sql)
    assert [(row["event"], row["payload"]) for row in taken] == [("alert", RUN_FAILED)] * reported


def test_the_last_lost_lease_is_announced_and_the_others_are_not(database: Database) -> None:
    claimed = start(database)
    lose_lease(database)
    assert take(database.sql) == []

    database.run("update hq.run_queue set attempt = max_attempts - 1, worker_id = 'w', leased_until = now()")
    database.run("update hq.runs set status = 'running'")
    expire(database)
    rescue(database.sql)

    assert run_of(database, claimed["run_id"])["status"] == "failed"
    fall_due(database)
    assert [row["payload"] for row in take(database.sql)] == [RUN_FAILED]


def test_a_run_that_older_code_left_running_is_announced_when_it_is_closed(database: Database) -> None:
    database.run(
        "insert into hq.runs (run_type, status, started_at) values ('SEO_AUDIT', 'running', now() - interval '1 hour')"
    )

    rescue(database.sql)
    rescue(database.sql)
    fall_due(database)

    assert [row["payload"] for row in take(database.sql)] == [RUN_FAILED]


def test_a_cancelled_run_is_no_alert(database: Database) -> None:
    claimed = start(database)

    database.run("select public.cancel_hq_run(%s)", claimed["run_id"])

    assert take(database.sql) == []


# A failure that was given as an answer.


def _message_keys(database: Database) -> list[str]:
    database.run("select hq.plan_messages()")
    return [row["key"] for row in database.rows("select key from hq.announcements where message_key is not null")]


def test_a_failure_waits_ten_seconds_for_its_answer(database: Database) -> None:
    settle(database.sql, start(database), "failed")

    assert (take(database.sql), _message_keys(database)) == ([], [])
    fall_due(database)
    assert [row["event"] for row in take(database.sql)] == ["alert"]
    assert len(_message_keys(database)) == 1


def test_a_failure_that_was_answered_is_announced_to_nobody(database: Database, service: Connection) -> None:
    claimed = start(database)
    settle(database.sql, claimed, "failed")

    assert take(service, answered=[claimed["run_id"]]) == []

    fall_due(database)
    assert (take(service), _message_keys(database)) == ([], [])


def test_an_answer_withdraws_the_failure_of_its_run_and_nothing_else(database: Database) -> None:
    answered, other = start(database), start(database, "CODE_REVIEW")
    for claimed in (answered, other):
        settle(database.sql, claimed, "failed")
    announce(database.sql, "budget", "budget_reached")
    fall_due(database)

    taken = [row["key"] for row in take(database.sql, answered=[answered["run_id"]])]

    assert sorted(taken) == sorted(["budget", f"run_failed:{other['run_id']}:{other['lease_token']}"])


def test_workers_of_the_release_before_announce_as_well(database: Database) -> None:
    settle(database.sql, start(database), "failed")
    query = "select * from public.take_hq_announcements('{}', 10, 30)"

    assert database.rows(query) == []
    fall_due(database)
    assert [row["event"] for row in database.rows(query)] == ["alert"]
