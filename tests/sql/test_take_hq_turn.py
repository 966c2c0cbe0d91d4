"""Whose turn it is to do what one worker of several does."""

from support.calls import race, value
from support.database import Connection, Database


def take(session: Connection, worker: str = "w1", name: str = "checks") -> bool:
    taken: bool = value(session, "take_hq_turn", name=name, worker_id=worker, every_seconds=300)
    return taken


def test_of_many_workers_one_takes_the_turn(database: Database) -> None:
    taken = race(database.connect, [lambda session, n=n: take(session, f"w{n}") for n in range(8)])  # type: ignore[misc]

    assert sorted(taken) == [False] * 7 + [True]


def test_a_turn_comes_back_when_it_is_due_and_to_one_again(database: Database) -> None:
    assert take(database.sql)
    assert not take(database.sql)
    database.run("update hq.turns set due_at = now()")

    taken = race(database.connect, [lambda session, n=n: take(session, f"w{n}") for n in range(8)])  # type: ignore[misc]

    assert sorted(taken) == [False] * 7 + [True]


def test_a_turn_is_due_exactly_its_period_after_it_was_taken(database: Database) -> None:
    """Two readings of the clock in one statement differ by a microsecond now and then, so many turns are looked at."""
    for n in range(300):
        assert take(database.sql, name=f"work{n}")

    assert database.rows("select name from hq.turns where due_at - taken_at <> interval '5 minutes'") == []


def test_a_clock_that_is_put_back_holds_up_no_work(database: Database) -> None:
    assert take(database.sql)
    database.run("update hq.turns set taken_at = taken_at + interval '2 hours', due_at = due_at + interval '2 hours'")

    assert take(database.sql)
    assert not take(database.sql)


def test_turns_of_different_works_do_not_wait_for_one_another(service: Connection) -> None:
    assert take(service)
    assert take(service, name="finance")
