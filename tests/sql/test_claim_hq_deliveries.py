"""Which message goes to which target, when: bursts become one message, each target has a state of its own."""

from collections.abc import Sequence

import pytest
from psycopg.types.json import Jsonb
from support.calls import call, race, settle, start, value
from support.database import OWNER, VIEWER, Connection, Database, Row, rows

MAIL = {"target": "channel:mail", "label": "mailto"}
CHAT = {"target": "channel:chat", "label": "slack"}
PHONE = "https://fcm.googleapis.com/fcm/send/one"


def announce(database: Database, key: str, kind: str = "run_failed", **details: object) -> None:
    database.run("select hq.announce_event(%s, %s, %s)", key, kind, Jsonb(details))


def claim(session: Connection, *channels: Row, worker_id: str = "w1", devices: bool = False) -> list[Row]:
    return call(
        session,
        "claim_hq_deliveries",
        worker_id=worker_id,
        channels=list(channels),
        devices=devices,
        limit=100,
        lease_seconds=60,
    )


def keys(messages: Sequence[Row]) -> list[str]:
    return [message["message_key"] for message in messages]


def end(
    session: Connection,
    message: Row,
    outcome: str = "accepted",
    wait: int | None = None,
    failure: str = "HTTP 500",
) -> bool:
    ended: bool = value(
        session,
        "settle_hq_delivery",
        message_key=message["message_key"],
        target=message["target"],
        attempt=message["attempt"],
        outcome=outcome,
        failure=None if outcome == "accepted" else failure,
        wait_seconds=wait,
    )
    return ended


def drain(session: Connection, *channels: Row, devices: bool = False) -> list[Row]:
    """Send everything that can be sent."""
    sent: list[Row] = []
    while taken := claim(session, *channels, devices=devices):
        for message in taken:
            assert end(session, message)
        sent += taken
    return sent


def broadcast(session: Connection) -> list[str]:
    """Take what is sent to open pages."""
    return [row["key"] for row in rows(session, "select * from public.take_hq_announcements('{}', 10, 30)")]


def pass_seconds(database: Database, seconds: int) -> None:
    """Let time pass for what was planned and sent so far."""
    for table, columns in {
        "announcements": ("created_at", "due_at", "burst_at", "message_due_at", "fanned_out_at"),
        "deliveries": ("created_at", "leased_until"),
        "delivery_targets": ("held_until",),
    }.items():
        moved = ", ".join(f"{column} = {column} - make_interval(secs => {seconds})" for column in columns)
        database.run(f"update hq.{table} set {moved}")


def subscribe(database: Database, endpoint: str = PHONE, user: object = OWNER, *, active: bool = True) -> None:
    database.run(
        "insert into hq.push_subscriptions (user_id, endpoint, p256dh, auth_key, is_active, created_at)"
        " values (%s, %s, 'p', 'a', %s, now() - interval '1 hour')",
        user,
        endpoint,
        active,
    )


def state(database: Database, target: str) -> Row:
    return database.one("select * from hq.delivery_targets where target = %s", target)


def test_a_message_goes_once_to_every_channel(database: Database, service: Connection) -> None:
    announce(database, "a", report="Audit SEO")

    taken = claim(service, MAIL, CHAT)

    assert sorted((m["message_key"], m["target"], m["kind"], m["attempt"]) for m in taken) == [
        ("a", "channel:chat", "run_failed", 1),
        ("a", "channel:mail", "run_failed", 1),
    ]
    assert [(m["members"], m["details"], m["endpoint"]) for m in taken] == [(1, [{"report": "Audit SEO"}], None)] * 2
    assert claim(service, MAIL, CHAT, worker_id="w2") == []
    for message in taken:
        assert end(service, message)
    pass_seconds(database, 3600)
    assert claim(service, MAIL, CHAT) == []


def test_five_hundred_failures_of_a_minute_are_eleven_messages(database: Database, service: Connection) -> None:
    claim(service, MAIL)
    messages = []
    for fifty in range(10):  # 60 s, with a look every six
        for number in range(50):
            announce(database, f"f{fifty}-{number:02}", report=f"{fifty}-{number}")
        messages += drain(service, MAIL)
        pass_seconds(database, 6)
    pass_seconds(database, 90)
    messages += drain(service, MAIL)

    assert len(messages) == 11
    assert [m["members"] for m in messages] == [1] * 10 + [490]
    assert [detail["report"] for detail in messages[-1]["details"]] == [f"0-{number}" for number in range(10, 20)]


def test_the_eleventh_alone_is_said_as_itself_and_other_kinds_are_counted_apart(
    database: Database, service: Connection
) -> None:
    for number in range(11):
        announce(database, f"f{number:02}")
    announce(database, "z", "incident_opened")

    first = drain(service, MAIL)
    pass_seconds(database, 100)
    later = drain(service, MAIL)

    assert sorted(keys(first)) == [f"f{number:02}" for number in range(10)] + ["z"]
    assert [(m["message_key"], m["members"]) for m in later] == [("f10", 1)]


def test_a_burst_ends_and_what_comes_later_is_said_alone(database: Database, service: Connection) -> None:
    for number in range(12):
        announce(database, f"f{number:02}")
    drain(service, MAIL)
    pass_seconds(database, 91)
    announce(database, "late")

    assert keys(drain(service, MAIL)) == ["late"]
    pass_seconds(database, 5)
    assert [(m["message_key"], m["members"]) for m in drain(service, MAIL)] == [("f10", 2)]


def test_what_is_not_due_yet_or_was_withdrawn_is_not_said(database: Database, service: Connection) -> None:
    announce(database, "later")
    announce(database, "answered")
    database.run("update hq.announcements set due_at = now() + interval '10 s'")
    assert claim(service, MAIL) == []
    assert broadcast(service) == []

    database.run("update hq.announcements set withdrawn_at = now() where key = 'answered'")
    pass_seconds(database, 10)

    assert keys(claim(service, MAIL)) == ["later"]
    assert broadcast(service) == ["later"]


def test_an_action_to_approve_is_for_open_pages_and_an_incident_is_not(database: Database, service: Connection) -> None:
    announce(database, "action", "approval_required")
    announce(database, "incident", "incident_opened")

    assert keys(claim(service, MAIL)) == ["incident"]
    assert broadcast(service) == ["action"]


def test_a_dead_channel_costs_the_others_nothing(database: Database, service: Connection) -> None:
    for number in range(9):
        announce(database, f"f{number}")
    first = {message["target"]: message for message in reversed(claim(service, MAIL, CHAT))}
    assert end(service, first["channel:chat"], "retry")

    rest = drain(service, MAIL, CHAT)  # what is leased to the mail stays with whoever has it

    assert rest == []
    pass_seconds(database, 61)
    assert {m["target"] for m in claim(service, MAIL, CHAT)} == {"channel:chat", "channel:mail"}


def test_a_target_takes_four_at_a_time_in_the_order_of_their_coming(database: Database, service: Connection) -> None:
    for number in range(6):
        announce(database, f"f{number}")

    assert keys(claim(service, MAIL)) == ["f0", "f1", "f2", "f3"]
    assert claim(service, MAIL, worker_id="w2") == [], "one worker at a time"


@pytest.mark.parametrize(
    ("failures", "wait", "held"),
    [
        (0, None, 15),
        (1, None, 30),
        (3, None, 120),
        (30, None, 900),
        (0, 3600, 3600),
        (30, 1, 900),
        (0, 80_000, 80_000),
    ],
)
def test_a_target_that_fails_is_left_alone_as_long_as_it_asks(
    failures: int, wait: int | None, held: int, database: Database, service: Connection
) -> None:
    announce(database, "a")
    announce(database, "b")
    message, other_one = claim(service, MAIL)
    database.run("update hq.delivery_targets set failures = %s", failures)

    assert end(service, message, "retry", wait)

    seconds = database.one("select extract(epoch from held_until - now())::float as s from hq.delivery_targets")["s"]
    assert held - 2 < seconds <= held
    assert claim(service, MAIL) == []
    pass_seconds(database, held)
    again = claim(service, MAIL)
    assert [(m["message_key"], m["attempt"]) for m in again] == [("b", 2), ("a", 3)]
    assert not end(service, other_one), "its lease was given back"
    assert end(service, again[0])
    assert state(database, "channel:mail")["failures"] == 0


def test_a_message_that_a_target_never_takes_does_not_hold_back_the_others(
    database: Database, service: Connection
) -> None:
    for key in ("a poison", "b", "c", "d"):
        announce(database, key)
    sent = []
    for number in range(8):
        announce(database, f"later {number}")
        for message in claim(service, MAIL):
            is_poison = message["message_key"] == "a poison"
            assert end(service, message, "retry" if is_poison else "accepted")
            if is_poison:
                break
            sent.append(message["message_key"])
        pass_seconds(database, 900)

    assert set(sent) >= {"b", "c", "d", *(f"later {number}" for number in range(7))}
    assert len(sent) == len(set(sent))


def test_a_target_that_somebody_edits_costs_the_others_nothing(
    database: Database, service: Connection, other: Connection
) -> None:
    claim(service, MAIL, CHAT)
    announce(database, "a")
    pass_seconds(database, 120)
    database.run("update hq.delivery_targets set seen_at = seen_at - interval '2 minutes'")

    with other.transaction():
        other.execute("update hq.delivery_targets set label = 'edited' where target = 'channel:chat'")
        assert [m["target"] for m in claim(service, MAIL, CHAT)] == ["channel:mail"]

    assert [m["target"] for m in claim(service, MAIL, CHAT)] == ["channel:chat"]
    assert state(database, "channel:chat")["label"] == "slack"


def test_a_delivery_that_somebody_edits_costs_the_others_nothing(
    database: Database, service: Connection, other: Connection
) -> None:
    subscribe(database)
    announce(database, "a")
    claim(service, MAIL, devices=True)
    database.run("update hq.deliveries set leased_until = null")
    database.run("update hq.push_subscriptions set is_active = false")

    with other.transaction():
        other.execute("update hq.deliveries set failure = 'edited' where target <> 'channel:mail'")
        assert [m["target"] for m in claim(service, MAIL, devices=True)] == ["channel:mail"]

    claim(service, MAIL, devices=True)
    assert database.rows("select status from hq.deliveries where target <> 'channel:mail'") == [{"status": "gone"}]


@pytest.mark.parametrize(
    ("failure", "left_alone"), [("http_401", 0), ("http_404", 0), ("http_429", 1), ("http_503", 1)]
)
def test_a_worker_that_starts_tries_an_address_that_may_have_been_mended(
    database: Database, service: Connection, failure: str, left_alone: int
) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", wait=3600, failure=failure)
    assert claim(service, MAIL) == []

    assert len(claim(service, MAIL | {"restarted": True})) == 1 - left_alone


def test_an_address_that_must_be_mended_is_named_as_that(database: Database, service: Connection) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    line = "select etat, phrase from hq.health where controle like 'Canal%mailto'"

    assert end(service, message, "retry", failure="http_503")
    assert "NOTIFY_URLS" not in database.one(line)["phrase"]
    pass_seconds(database, 3600)
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", failure="http_403")
    assert database.one(line)["etat"] == "amber"
    assert "à corriger dans NOTIFY_URLS" in database.one(line)["phrase"]
    pass_seconds(database, 3600)
    assert len(drain(service, MAIL)) == 1
    assert database.one(line)["etat"] == "green"


def test_what_waits_for_a_channel_goes_to_the_one_that_takes_its_place(database: Database, service: Connection) -> None:
    """Its token was changed, twice: what waits is sent once, by the new one; nothing is taken from a living worker."""
    for number, target in enumerate(("channel:old", "channel:older")):
        announce(database, f"f{number}")
        claim(service, CHAT | {"target": target})
    database.run("update hq.deliveries set leased_until = null")

    claimed = claim(service, CHAT)
    assert [m["target"] for m in claimed] == ["channel:chat"] * len(claimed)
    assert "channel:old" in {row["target"] for row in database.rows("select target from hq.deliveries")}
    database.run("update hq.deliveries set leased_until = null")
    database.run("update hq.delivery_targets set seen_at = seen_at - interval '3 minutes' where target like '%old%'")

    assert sorted(keys(drain(service, CHAT))) == ["f0", "f1"]
    waiting = database.rows("select from hq.deliveries where status = 'waiting'")
    assert waiting == []


OTHER_MAIL = {"target": "channel:other mail", "label": "mailto"}


def go_away(database: Database, target: str = "channel:mail") -> None:
    """Let the worker of a channel be silent for three minutes."""
    database.run(
        "update hq.delivery_targets set seen_at = seen_at - interval '3 minutes', held_until = null where target = %s",
        target,
    )


def test_an_absent_workers_message_that_another_address_got_too_waits_for_its_return(
    database: Database, service: Connection
) -> None:
    """Two addresses of one kind, each a worker's own."""
    claim(service, MAIL)
    claim(service, OTHER_MAIL)
    announce(database, "a")
    assert keys(drain(service, OTHER_MAIL)) == ["a"]
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", failure="http_503")

    go_away(database)

    assert drain(service, OTHER_MAIL) == []
    assert keys(drain(service, MAIL)) == ["a"]


def test_an_absent_workers_message_does_not_go_to_an_address_that_was_there_before(
    database: Database, service: Connection
) -> None:
    claim(service, OTHER_MAIL)
    database.run(
        "update hq.delivery_targets set since = since - interval '1 hour', seen_at = now() - interval '1 hour'"
    )
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", failure="http_503")

    go_away(database)

    assert drain(service, OTHER_MAIL) == []
    assert keys(drain(service, MAIL)) == ["a"]


def test_what_waits_goes_to_a_successor_that_started_minutes_before_the_former_worker_ended(
    database: Database, service: Connection
) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", failure="http_401")
    claim(service, OTHER_MAIL)
    database.run(
        "update hq.delivery_targets set since = since - interval '7 minutes' where target = %s", "channel:other mail"
    )

    go_away(database)

    assert keys(drain(service, OTHER_MAIL)) == ["a"]


def test_a_target_that_asks_for_years_is_left_alone_for_a_day(database: Database, service: Connection) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry", 1_000_000_000)
    pass_seconds(database, 86_401)
    announce(database, "b")

    assert keys(claim(service, MAIL)) == ["b"]


def test_a_refused_message_is_not_sent_again_and_the_next_one_is(database: Database, service: Connection) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "refused")
    announce(database, "b")

    assert keys(drain(service, MAIL)) == ["b"]
    assert state(database, "channel:mail")["failure"] == "HTTP 500"


def test_what_a_killed_worker_had_taken_another_one_sends_once_its_lease_is_over(
    database: Database, service: Connection
) -> None:
    announce(database, "a")
    (lost,) = claim(service, MAIL)
    assert claim(service, MAIL, worker_id="w2") == []
    pass_seconds(database, 61)

    (again,) = claim(service, MAIL, worker_id="w2")

    assert (again["message_key"], again["attempt"]) == ("a", 2)
    assert not end(service, lost), "the first one's word comes too late"
    assert end(service, again)
    assert end(service, again) is False


def test_after_a_day_a_message_is_dropped(database: Database, service: Connection) -> None:
    announce(database, "a")
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry")
    pass_seconds(database, 24 * 3600 - 60)
    (message,) = claim(service, MAIL)
    assert end(service, message, "retry")
    pass_seconds(database, 120)

    assert claim(service, MAIL) == []
    assert database.one("select status from hq.deliveries")["status"] == "dropped"


def test_what_happened_before_there_was_a_channel_is_not_caught_up_on(database: Database, service: Connection) -> None:
    announce(database, "old")
    pass_seconds(database, 11 * 60)
    announce(database, "new")

    assert keys(drain(service, MAIL)) == ["new"]


def test_a_worker_sends_by_its_own_channels_only(database: Database, service: Connection) -> None:
    claim(service, CHAT)
    announce(database, "a")

    assert [m["target"] for m in claim(service, MAIL)] == ["channel:mail"]
    assert [m["target"] for m in claim(service, CHAT, worker_id="w2")] == ["channel:chat"]


def test_two_who_claim_at_once_share_no_message(database: Database) -> None:
    for number in range(8):
        announce(database, f"f{number}")
    with database.as_caller("service_role") as service:
        claim(service, MAIL, CHAT)
    pass_seconds(database, 61)

    def take(session: Connection) -> list[Row]:
        return claim(session, MAIL, CHAT)

    outcomes = race(lambda: database.as_caller("service_role"), [take] * 4)
    taken = [message for messages in outcomes for message in messages]

    assert len(taken) == len({(m["message_key"], m["target"]) for m in taken}) == 8


# Devices.


def test_devices_are_the_active_ones_of_current_owners_and_each_endpoint_once(
    database: Database, service: Connection
) -> None:
    subscribe(database)
    subscribe(database, "https://fcm.googleapis.com/fcm/send/off", active=False)
    subscribe(database, "https://fcm.googleapis.com/fcm/send/viewer", VIEWER)
    database.run("insert into public.user_roles (user_id, role) values (%s, 'owner')", VIEWER)
    subscribe(database, user=VIEWER)
    database.run("delete from public.user_roles where user_id = %s and role = 'owner'", VIEWER)
    subscribe(database, "https://fcm.googleapis.com/" + "x" * 3000)

    announce(database, "a")

    assert [(m["endpoint"], m["p256dh"], m["auth_key"]) for m in claim(service, devices=True)] == [(PHONE, "p", "a")]
    assert [row["endpoint"] for row in call(service, "list_hq_devices")] == [PHONE]


def test_a_device_without_its_owner_gets_nothing_more(database: Database, service: Connection) -> None:
    subscribe(database)
    announce(database, "a")
    (message,) = claim(service, devices=True)
    assert end(service, message, "retry")
    database.run("delete from public.user_roles where user_id = %s", OWNER)
    pass_seconds(database, 60)

    assert claim(service, devices=True) == []
    assert database.one("select status from hq.deliveries")["status"] == "gone"


def test_a_device_that_is_gone_is_deactivated_with_all_that_waits_for_it(
    database: Database, service: Connection
) -> None:
    subscribe(database)
    for number in range(6):
        announce(database, f"f{number}")
    message = claim(service, devices=True)[0]

    assert end(service, message, "gone")

    assert database.one("select is_active from hq.push_subscriptions")["is_active"] is False
    assert {row["status"] for row in database.rows("select status from hq.deliveries")} == {"gone"}
    assert claim(service, devices=True) == []


def test_a_device_whose_test_says_that_it_is_gone_is_deactivated(database: Database, service: Connection) -> None:
    subscribe(database)
    (device,) = call(service, "list_hq_devices")

    call(service, "deactivate_hq_device", target=device["target"], failure="HTTP 410")

    assert call(service, "list_hq_devices") == []


def test_the_older_schema_has_channels_and_no_devices(clone: object) -> None:
    database: Database = clone("seed_hq")  # type: ignore[operator]
    announce(database, "a")

    with database.as_caller("service_role") as service:
        assert [m["target"] for m in claim(service, MAIL, devices=True)] == ["channel:mail"]
        assert call(service, "list_hq_devices") == []
        call(service, "deactivate_hq_device", target="device:x", failure="HTTP 410")


# What is said of what happened.


def test_a_failure_says_which_report_failed_on_which_platform_and_why(database: Database, service: Connection) -> None:
    claimed = start(database, platform_key="nearvity")
    settle(database.sql, claimed, "failed", summary="Crédits épuisés : rechargez.", appendix={})
    database.run("update hq.announcements set due_at = now()")

    (message,) = claim(service, MAIL)

    assert message["kind"] == "run_failed"
    (details,) = message["details"]
    assert details["reason"] == "Crédits épuisés : rechargez."
    assert details["report"] == database.one("select label from hq.run_types where key = 'SEO_AUDIT'")["label"]
    assert details["platform"] == database.one("select name from hq.platforms where key = 'nearvity'")["name"]


@pytest.mark.parametrize(("trigger", "messages"), [("schedule", ["morning_brief"]), ("manual", [])])
def test_the_morning_brief_is_announced_unless_somebody_asked_for_it(
    trigger: str, messages: list[str], database: Database, service: Connection
) -> None:
    for _ in range(2):
        claimed = start(database, "DAILY_EXECUTIVE_BRIEF", trigger=trigger, idempotency_key=None)
        settle(database.sql, claimed, summary="## Synthèse\nTout va bien.", appendix={})
        database.run("update hq.runs set completed_at = completed_at - interval '1 minute'")

    taken = claim(service, MAIL)

    assert [m["kind"] for m in taken] == messages
    assert [m["details"][0]["summary"] for m in taken] == ["## Synthèse\nTout va bien."] * len(messages)


def test_an_incident_is_announced_when_it_opens_and_when_it_closes(database: Database, service: Connection) -> None:
    def check(status: str) -> None:
        database.run("update hq.platform_checks set checked_at = checked_at - interval '5 minutes'")
        reason = "Le site est injoignable." if status == "red" else None
        checks = [
            {"platform_key": "nearvity", "status": status, "status_code": None, "response_ms": 9, "reason": reason}
        ]
        call(service, "record_hq_platform_checks", checks=checks)

    for status in ("red", "red"):
        check(status)
    assert claim(service, MAIL) == []
    for status in ("red", "red"):
        check(status)
    opened = drain(service, MAIL)
    for status in ("green", "green"):
        check(status)
    closed = drain(service, MAIL)

    assert [m["kind"] for m in opened] == ["incident_opened"]
    assert opened[0]["details"][0]["reason"] == "Le site est injoignable."
    assert [m["kind"] for m in closed] == ["incident_closed"]


def test_approvals_of_yesterday_are_announced_once_a_day(database: Database, service: Connection) -> None:
    database.run(
        "insert into hq.actions (action_type, title, requires_approval, status)"
        " values ('run_approval', 'À approuver : mise en production', true, 'pending'),"
        " ('run_approval', 'Décidée', true, 'approved'), ('note', 'Sans approbation', false, 'pending')"
    )
    for hours, waiting in ((0, 0), (25, 1), (0, 1)):
        database.run("update hq.actions set created_at = created_at - make_interval(hours => %s)", hours)
        assert database.one("select hq.announce_stale_approvals() as n")["n"] == waiting

    (message,) = [m for m in drain(service, MAIL) if m["kind"] == "stale_approvals"]

    assert message["details"][0]["count"] == 1
    assert message["details"][0]["titles"] == ["À approuver : mise en production"]
