"""A look at what should be announced: once a minute at most, whoever asks; journalled when it says something new."""

import pytest
from support.calls import call, race, settle, start
from support.database import Connection, Database, Row, rows


def look(session: Connection) -> Row:
    (found,) = call(session, "look_for_hq_push_triggers")
    return found


def let_a_minute_pass(database: Database) -> None:
    database.run("update hq.push_look set looked_at = looked_at - interval '61 seconds'")


def propose(database: Database, age: str = "25 hours") -> None:
    settle(database.sql, start(database, "DEPLOY_TO_PRODUCTION"))
    database.run("update hq.actions set created_at = now() - %s::interval", age)


def history(owner: Connection) -> list[Row]:
    """Read the page's history of notifications."""
    return rows(owner, "select * from public.get_hq_logs(30, null, 'push-triggers')")


def test_what_people_should_know_is_counted(database: Database, service: Connection) -> None:
    settle(database.sql, start(database), "failed")
    settle(database.sql, start(database, "CODE_REVIEW"), "failed")
    database.run("update hq.runs set completed_at = now() - interval '2 hours' where run_type = 'CODE_REVIEW'")
    database.run("update hq.platforms set status = 'red' where key = 'nearvity'")
    propose(database)

    assert look(service) == {"failed_runs": 1, "red_platforms": 1, "stale_approvals": 1, "sent": 1}


def test_a_run_that_waited_for_weeks_counts_in_the_hour_in_which_it_fails(
    database: Database, service: Connection
) -> None:
    """A pause of some length, or an account without credit."""
    claimed = start(database)
    database.run("update hq.runs set created_at = now() - interval '20 days'")
    settle(database.sql, claimed, "failed")

    assert look(service)["failed_runs"] == 1


def test_a_look_happens_once_a_minute_and_others_get_what_it_counted(database: Database, service: Connection) -> None:
    assert look(service)["failed_runs"] == 0
    settle(database.sql, start(database), "failed")

    assert look(service)["failed_runs"] == 0
    let_a_minute_pass(database)
    assert look(service)["failed_runs"] == 1


def test_many_who_ask_at_once_make_one_look(database: Database, owner: Connection) -> None:
    propose(database)

    found = race(lambda: database.as_caller("service_role"), [look] * 8)

    assert {row["failed_runs"] for row in found} == {0}
    assert len(history(owner)) == 1
    assert database.one("select count(*) as n from hq.announcements where kind = 'stale_approvals'")["n"] == 1


def test_the_journal_has_a_line_when_a_count_changed_or_something_was_announced_and_once_a_day(
    database: Database, service: Connection, owner: Connection
) -> None:
    look(service)
    let_a_minute_pass(database)
    look(service)
    assert [line["level"] for line in history(owner)] == ["info"]

    propose(database)
    let_a_minute_pass(database)
    look(service)
    (line, _) = history(owner)
    assert line["level"] == "warn"
    assert line["metadata"] == {"failed_runs": 0, "red_platforms": 0, "stale_approvals": 1, "sent": 1}

    let_a_minute_pass(database)
    look(service)
    assert len(history(owner)) == 2
    database.run("update hq.push_look set logged_at = now() - interval '25 hours'")
    let_a_minute_pass(database)
    look(service)
    assert len(history(owner)) == 3


def test_only_stale_approvals_are_announced(database: Database, service: Connection) -> None:
    settle(database.sql, start(database), "failed")
    database.run("update hq.platforms set status = 'red' where key = 'nearvity'")
    propose(database, "23 hours")
    before = database.one("select count(*) as n from hq.announcements")["n"]

    assert look(service)["sent"] == 0
    assert database.one("select count(*) as n from hq.announcements")["n"] == before


def test_a_clock_that_is_put_back_does_not_keep_anybody_from_looking(database: Database, service: Connection) -> None:
    look(service)
    database.run("update hq.push_look set looked_at = now() + interval '2 hours'")
    settle(database.sql, start(database), "failed")

    assert look(service)["failed_runs"] == 1


@pytest.mark.parametrize("caller", ["owner", "viewer"])
def test_no_page_looks_by_itself(caller: str, request: pytest.FixtureRequest) -> None:
    session: Connection = request.getfixturevalue(caller)

    with pytest.raises(Exception, match="permission denied"):
        look(session)
