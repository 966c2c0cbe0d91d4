"""What waits for somebody, as the morning brief reports it."""

from support.calls import call, settle, start
from support.database import Connection, Database


def test_pending_actions_open_incidents_and_failures_of_the_day_are_told(
    database: Database, service: Connection
) -> None:
    settle(database.sql, start(database), "failed", summary="Crédits IA insuffisants.")
    database.run("insert into hq.actions (action_type, title, risk_level) values ('deploy', 'Publier la 2.1', 'high')")
    database.run("insert into hq.incidents (platform_key, severity, title) values ('nearvity', 'critical', 'Panne')")

    action, incident, failure = call(service, "read_hq_open_matters")

    assert (action["kind"], action["title"], action["level"]) == ("action", "Publier la 2.1", "high")
    assert (incident["title"], incident["level"], incident["platform_key"]) == ("Panne", "critical", "nearvity")
    assert (failure["title"], failure["detail"]) == ("Audit SEO", "Crédits IA insuffisants.")


def test_what_is_decided_resolved_or_old_waits_for_nobody(database: Database, service: Connection) -> None:
    database.run("insert into hq.actions (action_type, title, status) values ('x', 'Faite', 'executed')")
    database.run("insert into hq.actions (action_type, title, requires_approval) values ('x', 'Libre', false)")
    database.run(
        "insert into hq.incidents (platform_key, severity, title, status) values ('nearvity', 'low', 'Finie', 'closed')"
    )
    database.run(
        "insert into hq.runs (run_type, status, completed_at) values ('SEO_AUDIT', 'failed', now() - interval '2 days')"
    )

    assert call(service, "read_hq_open_matters") == []


def test_one_platform_is_not_told_of_anothers_incidents(database: Database, service: Connection) -> None:
    database.run("insert into hq.incidents (platform_key, severity, title) values ('nearvity', 'low', 'Lenteur')")

    assert call(service, "read_hq_open_matters", platform_key="emotionscare") == []
    assert len(call(service, "read_hq_open_matters", platform_key="nearvity")) == 1
