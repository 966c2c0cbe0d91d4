"""A sensitive run proposes its action in the transaction that settles it; a person decides, and nothing is executed."""

import pytest
from support.calls import call, request, settle, start, value
from support.database import Connection, Database

SENSITIVE = "DEPLOY_TO_PRODUCTION"


def test_a_sensitive_report_proposes_one_action_that_the_owner_sees(database: Database, owner: Connection) -> None:
    claimed = start(database, SENSITIVE, platform_key="nearvity")
    assert call(owner, "get_hq_pending_actions") == []

    settle(database.sql, claimed)

    (action,) = call(owner, "get_hq_pending_actions")
    assert (action["run_id"], action["risk_level"], action["requires_approval"]) == (
        claimed["run_id"],
        "critical",
        True,
    )
    assert action["title"] == "À approuver : Déploiement Production"
    assert "n'exécute rien" in action["description"]
    assert action["payload"] == {"run_type": SENSITIVE, "platform_key": "nearvity"}
    assert "approval_required" in [row["event"] for row in database.rows("select event from hq.announcements")]


def test_the_decision_is_recorded_and_nothing_is_executed(database: Database, owner: Connection) -> None:
    settle(database.sql, start(database, SENSITIVE))
    (action,) = call(owner, "get_hq_pending_actions")

    value(owner, "approve_hq_action", action_id=action["id"], decision="approved", reason="Prêt.")

    assert call(owner, "get_hq_pending_actions") == []
    after = database.one("select status, executed_at from hq.actions")
    assert (after["status"], after["executed_at"]) == ("approved", None)
    assert database.one("select count(*) from hq.runs")["count"] == 1


def test_a_run_that_is_done_again_proposes_nothing_more(database: Database) -> None:
    claimed = start(database, SENSITIVE)
    settle(database.sql, claimed)
    settle(database.sql, claimed)
    database.run("update hq.runs set status = 'pending'")
    call(database.sql, "rescue_hq_runs")
    (again,) = call(database.sql, "claim_hq_runs", worker_id="w", limit=1, lease_seconds=30)
    settle(database.sql, again)

    assert database.one("select count(*) from hq.actions")["count"] == 1


@pytest.mark.parametrize("outcome", ["failed", "retry"])
def test_a_sensitive_run_without_a_report_proposes_nothing(database: Database, outcome: str) -> None:
    settle(database.sql, start(database, SENSITIVE), outcome)

    assert not database.rows("select from hq.actions")


def test_an_ordinary_report_proposes_nothing(database: Database) -> None:
    settle(database.sql, start(database, "SEO_AUDIT"))

    assert not database.rows("select from hq.actions")


def test_every_type_that_requires_approval_proposes_with_its_own_label_and_risk(database: Database) -> None:
    sensitive = database.rows("select key, label, risk::text from hq.run_types where requires_approval order by key")
    for run_type in sensitive:
        request(database.sql, run_type["key"])

    for claimed in call(database.sql, "claim_hq_runs", worker_id="w", limit=9, lease_seconds=30):
        settle(database.sql, claimed)

    actions = database.rows(
        "select r.run_type as key, a.title, a.risk_level::text as risk from hq.actions as a "
        "join hq.runs as r on r.id = a.run_id order by 1"
    )
    assert actions == [
        {"key": row["key"], "title": f"À approuver : {row['label']}", "risk": row["risk"]} for row in sensitive
    ]
