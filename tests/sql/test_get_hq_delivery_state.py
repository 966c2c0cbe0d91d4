"""How the messages stand, for whoever watches over them: the worst target counts, however well the others do."""

from psycopg.types.json import Jsonb
from support.calls import call
from support.database import Connection, Database, Row

MAIL = {"target": "channel:mail", "label": "mailto"}
CHAT = {"target": "channel:chat", "label": "slack"}

# Seconds that may pass here between a change and the reading of it.
LATE = 30


def read_state(service: Connection) -> dict[str, tuple[int, int]]:
    states = call(service, "get_hq_delivery_state")
    return {state["kind"]: (int(state["oldest_waiting_seconds"]), state["failures_in_a_row"]) for state in states}


def announce(database: Database, key: str) -> None:
    database.run("select hq.announce_event(%s, 'run_failed', '{}')", key)
    database.run("update hq.announcements set due_at = now() - interval '1 hour', created_at = now()")


def try_all(database: Database, service: Connection, outcomes: dict[str, str]) -> None:
    """Send what can be sent, with what comes of it at each target; whoever had to wait has waited."""
    database.run("update hq.delivery_targets set held_until = null")
    channels: list[Row] = [MAIL, CHAT]
    given = {"worker_id": "w1", "channels": Jsonb(channels), "devices": False, "limit": 9, "lease_seconds": 60}
    for message in call(service, "claim_hq_deliveries", **given):
        outcome = outcomes[message["target"]]
        settled = {name: message[name] for name in ("message_key", "target", "attempt")}
        call(service, "settle_hq_delivery", **settled, outcome=outcome, failure="http_401", wait_seconds=None)


def test_without_messages_there_is_nothing_to_report(service: Connection) -> None:
    assert read_state(service) == {"channel": (0, 0), "device": (0, 0)}


def test_one_channel_that_refuses_is_seen_beside_one_that_accepts(database: Database, service: Connection) -> None:
    for number in range(3):
        announce(database, f"key-{number}")
        try_all(database, service, {"channel:mail": "refused", "channel:chat": "accepted"})

    assert read_state(service) == {"channel": (0, 3), "device": (0, 0)}


def test_what_waits_at_one_channel_is_seen_until_it_has_left(database: Database, service: Connection) -> None:
    announce(database, "key")
    try_all(database, service, {"channel:mail": "retry", "channel:chat": "accepted"})
    database.run("update hq.deliveries set created_at = now() - interval '90 minutes'")

    waiting = read_state(service)
    try_all(database, service, {"channel:mail": "accepted"})

    assert 0 <= waiting["channel"][0] - 5400 < LATE
    assert waiting["channel"][1] == 1
    assert read_state(service) == {"channel": (0, 0), "device": (0, 0)}


def test_the_oldest_of_all_that_wait_counts(database: Database, service: Connection) -> None:
    for number in range(2):
        announce(database, f"key-{number}")
        try_all(database, service, {"channel:mail": "retry", "channel:chat": "retry"})
    database.run("update hq.deliveries set created_at = now() - interval '1 s'")
    oldest = "target = 'channel:mail' and message_key = 'key-0'"
    database.run(f"update hq.deliveries set created_at = now() - interval '90 s' where {oldest}")

    assert 0 <= read_state(service)["channel"][0] - 90 < LATE


def test_a_device_is_told_from_a_channel(database: Database, service: Connection) -> None:
    announce(database, "key")
    try_all(database, service, {"channel:mail": "retry", "channel:chat": "retry"})
    database.run("update hq.delivery_targets set kind = 'device', failures = 7 where target = 'channel:chat'")
    database.run("update hq.deliveries set created_at = now() - interval '60 s' where target = 'channel:chat'")

    state = read_state(service)

    assert 0 <= state["device"][0] - 60 < LATE
    assert state["device"][1] == 7
    assert state["channel"][1] == 1


def test_a_channel_that_no_worker_has_any_longer_calls_nobody(database: Database, service: Connection) -> None:
    announce(database, "key")
    try_all(database, service, {"channel:mail": "retry", "channel:chat": "accepted"})
    database.run("update hq.delivery_targets set seen_at = now() - interval '16 minutes'")

    assert read_state(service) == {"channel": (0, 0), "device": (0, 0)}
